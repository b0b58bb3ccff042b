//go:build unix

package rediscache

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/jwtsession/jwtsession/internal/redistest"
)

// startTLSServer starts a server that speaks nothing but TLS, on TCP.
func startTLSServer(t testing.TB, lines ...string) *redistest.Server {
	t.Helper()
	certificate, key, pool := newCertificate(t)
	port := redistest.FreePort(t)
	return redistest.StartAt(t, redis.Options{
		Addr: redistest.Loopback(port), TLSConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
	}, append([]string{
		"port 0", fmt.Sprintf("tls-port %d", port), "tls-auth-clients no",
		"tls-cert-file " + certificate, "tls-key-file " + key, "tls-ca-cert-file " + certificate,
	}, lines...)...)
}

// newCertificate writes a certificate for 127.0.0.1 that is its own authority.
func newCertificate(t testing.TB) (certificateFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "redis-server of a test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	encodedKey, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	dir := t.TempDir()
	certificateFile, keyFile = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	must(os.WriteFile(certificateFile, block, 0o600))
	must(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encodedKey}), 0o600))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(block)
	return certificateFile, keyFile, pool
}

// cluster is the nodes of a Redis Cluster.
type cluster []*redistest.Server

func (nodes cluster) addresses() []string {
	var addresses []string
	for _, node := range nodes {
		addresses = append(addresses, node.Options.Addr)
	}
	return addresses
}

// startCluster starts that many masters and shares the slots out among them.
func startCluster(t testing.TB, size int, lines ...string) cluster {
	t.Helper()
	const slots = 16_384
	var nodes cluster
	for i := range size {
		port := redistest.FreePort(t)
		node := redistest.StartAt(t, redis.Options{Addr: redistest.Loopback(port)},
			append([]string{fmt.Sprintf("port %d", port), "cluster-enabled yes"}, lines...)...)
		if err := node.Client(t).ClusterAddSlotsRange(t.Context(), i*slots/size, (i+1)*slots/size-1).Err(); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			host, first, _ := net.SplitHostPort(nodes[0].Options.Addr)
			if err := node.Client(t).ClusterMeet(t.Context(), host, first).Err(); err != nil {
				t.Fatal(err)
			}
		}
		nodes = append(nodes, node)
	}
	for _, node := range nodes {
		client := node.Client(t)
		redistest.WaitFor(t, "the Cluster to serve all slots", func() bool {
			info := client.ClusterInfo(t.Context()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", size))
		})
	}
	return nodes
}

// startSentinel starts a sentinel that watches master under the name "sessions",
// with one replica, and returns the sentinel's address.
func startSentinel(t testing.TB, master *redistest.Server) string {
	t.Helper()
	host, port, _ := net.SplitHostPort(master.Options.Addr)
	replicaPort := redistest.FreePort(t)
	replica := redistest.StartAt(t, redis.Options{Addr: redistest.Loopback(replicaPort)},
		fmt.Sprintf("port %d", replicaPort), "replicaof "+host+" "+port, "repl-diskless-sync-delay 0")
	redistest.WaitFor(t, "the replica to have followed", func() bool {
		return strings.Contains(replica.Client(t).Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	sentinelPort := redistest.FreePort(t)
	sentinel := redistest.StartAt(t, redis.Options{Addr: redistest.Loopback(sentinelPort)},
		fmt.Sprintf("port %d", sentinelPort),
		"sentinel monitor sessions "+host+" "+port+" 1",
		"sentinel down-after-milliseconds sessions 500",
		"sentinel failover-timeout sessions 5000")
	client := sentinel.Client(t)
	redistest.WaitFor(t, "the sentinel to know the replica", func() bool {
		known, _ := client.Do(t.Context(), "SENTINEL", "REPLICAS", "sessions").Slice()
		return len(known) == 1
	})
	return sentinel.Options.Addr
}
