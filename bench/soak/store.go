//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/internal/demo"
)

const redisRole = "redis"

// pair is two Redis servers, of which one follows the other, and what leads to
// the one that leads.
type pair struct {
	relay   *relay    // the workers'
	links   [2]*relay // to each server, from the other one
	sockets [2]string
	leads   int
	stops   []func()
}

// startPair starts them. They end with this process.
func startPair(directory string) (*pair, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	server, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is needed, and not installed")
	}
	p := &pair{}
	for i, name := range []string{"a", "b"} {
		place := filepath.Join(directory, name)
		if err := os.Mkdir(place, 0o700); err != nil {
			return nil, err
		}
		keeper := exec.Command(self, server, place)
		keeper.Env = append(os.Environ(), roleVariable+"="+redisRole)
		url, stop, err := demo.StartRedis(context.Background(), keeper, place)
		if err != nil {
			p.close()
			return nil, err
		}
		p.stops = append(p.stops, stop)
		p.sockets[i] = strings.TrimPrefix(url, "unix://")
		if p.links[i], err = newRelay("unix", p.sockets[i]); err != nil {
			p.close()
			return nil, err
		}
	}
	if p.relay, err = newRelay("unix", p.sockets[0]); err != nil {
		p.close()
		return nil, err
	}
	return p, errors.Join(p.do(0, "CONFIG", "SET", "repl-diskless-sync-delay", "0"),
		p.do(1, "CONFIG", "SET", "repl-diskless-sync-delay", "0"), p.follow())
}

// do has one of them do something.
func (p *pair) do(which int, command ...any) error {
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: p.sockets[which]})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return client.Do(ctx, command...).Err()
}

// follow has the other one follow the one that leads.
func (p *pair) follow() error {
	host, port, _ := strings.Cut(p.links[p.leads].address(), ":")
	return p.do(1-p.leads, "REPLICAOF", host, port)
}

// failOver has the one that follows lead, and the workers led to it.
func (p *pair) failOver() error {
	if err := p.do(1-p.leads, "REPLICAOF", "NO", "ONE"); err != nil {
		return err
	}
	p.leads = 1 - p.leads
	p.relay.lead(p.sockets[p.leads])
	return p.follow()
}

func (p *pair) lose() error { return p.do(p.leads, "FLUSHALL") }

func (p *pair) close() {
	for _, r := range append(p.links[:], p.relay) {
		if r != nil {
			r.close()
		}
	}
	for _, stop := range p.stops {
		stop()
	}
}

// empty removes all that is in a directory.
func empty(directory string) error {
	entries, err := os.ReadDir(directory)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(directory, e.Name())))
	}
	return err
}
