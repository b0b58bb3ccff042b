package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"
)

// KeepRedis runs a redis-server on a socket in directory until in ends, and with
// that the program that started this one, however it did.
func KeepRedis(server, directory string, in io.Reader) error {
	cmd := exec.Command(server, "--port", "0", "--unixsocket", socketIn(directory), "--dir", directory, "--save", "")
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, in)
		cmd.Process.Kill()
	}()
	return cmd.Wait()
}

func socketIn(directory string) string { return filepath.Join(directory, "redis.socket") }

// StartRedis starts a program that calls KeepRedis for directory, and returns the
// server's URL when it answers.
func StartRedis(ctx context.Context, keeper *exec.Cmd, directory string) (url string, stop func(), err error) {
	ownGroup(keeper)
	stdin, err := keeper.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	if err := keeper.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- keeper.Wait() }()
	stop = func() {
		stdin.Close()
		<-ended
	}

	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socketIn(directory)})
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for client.Ping(ctx).Err() != nil {
		select {
		case err := <-ended:
			return "", nil, fmt.Errorf("redis-server has ended: %v", err)
		case <-ctx.Done():
			stop()
			return "", nil, errors.New("redis-server did not answer")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return "unix://" + socketIn(directory), stop, nil
}
