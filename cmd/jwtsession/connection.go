package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/proxy"
)

// trust is whom the command believes at the other end of TLS, and who it says
// that it is. Its zero value is the system's.
type trust struct {
	authorities  *x509.CertPool
	certificates []tls.Certificate
}

func readTrust(caFile, certFile, keyFile setting) (t trust, err error) {
	if keyFile.value != "" && certFile.value == "" {
		return t, fmt.Errorf("there is a client's key (%s) and no certificate: give --client-cert", keyFile.from)
	}
	if caFile.value != "" {
		pem, err := os.ReadFile(caFile.value)
		if err != nil {
			return t, fmt.Errorf("read the authorities (%s): %w", caFile.from, err)
		}
		t.authorities = x509.NewCertPool()
		if !t.authorities.AppendCertsFromPEM(pem) {
			return t, fmt.Errorf("%s (%s) has no certificate in it: give a PEM file", caFile.value, caFile.from)
		}
	}
	if certFile.value != "" {
		pair, err := tls.LoadX509KeyPair(certFile.value, cmp.Or(keyFile.value, certFile.value))
		if err != nil && keyFile.value == "" {
			err = fmt.Errorf("%w; if the key is in another file, give --client-key", err)
		}
		if err != nil {
			return t, fmt.Errorf("read the client's certificate (%s): %w", certFile.from, err)
		}
		t.certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// proxyTransport carries a proxy's requests to the account's API; nil where nothing
// was said about whom to trust.
func (a *account) proxyTransport() http.RoundTripper {
	if a.trust.authorities == nil && a.trust.certificates == nil {
		return nil
	}
	return a.trust.apply(proxy.NewTransport())
}

// apply has a transport trust whom t trusts.
func (t trust) apply(transport *http.Transport) *http.Transport {
	if t.authorities != nil || t.certificates != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: t.authorities, Certificates: t.certificates}
	}
	return transport
}

// httpClient carries the session calls; nil stands for the library's own.
func (a *account) httpClient() *http.Client {
	if a.verbose == nil && a.trust.authorities == nil && a.trust.certificates == nil {
		return nil
	}
	transport := a.trust.apply(http.DefaultTransport.(*http.Transport).Clone())
	if a.verbose == nil {
		return &http.Client{Transport: transport}
	}
	return &http.Client{Transport: narrator{transport, a.verbose, a.shownPath}}
}

// narrator tells of each call what it was, what came back, and how long it took.
type narrator struct {
	http.RoundTripper
	out       io.Writer
	shownPath func(*http.Request) string
}

func (n narrator) RoundTrip(req *http.Request) (*http.Response, error) {
	begin := time.Now()
	res, err := n.RoundTripper.RoundTrip(req)
	answer := "no answer"
	if err == nil {
		answer = fmt.Sprintf("%d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	fmt.Fprintf(n.out, "jwtsession: %s %s: %s, %d ms\n", req.Method, printable(n.shownPath(req)), answer, time.Since(begin).Milliseconds())
	return res, err
}

// CloseIdleConnections closes those of the transport behind it.
func (n narrator) CloseIdleConnections() { closeIdle(n.RoundTripper) }

// counter counts the session calls of a source.
type counter struct {
	http.RoundTripper
	calls atomic.Int32
}

// countIn has the calls of a source counted.
func (c *counter) countIn(config *jwtsession.Config) {
	c.RoundTripper = http.DefaultTransport
	if config.HTTPClient != nil {
		c.RoundTripper = config.HTTPClient.Transport
	}
	config.HTTPClient = &http.Client{Transport: c}
}

func (c *counter) RoundTrip(req *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	return c.RoundTripper.RoundTrip(req)
}

// CloseIdleConnections closes those of the transport behind it.
func (c *counter) CloseIdleConnections() { closeIdle(c.RoundTripper) }

func closeIdle(t http.RoundTripper) { (&http.Client{Transport: t}).CloseIdleConnections() }

// refuseWritable is the error of a file that others may change: who can write
// into it says what this program runs, or whom it signs in. The handle is asked,
// so that what was checked is what is read.
func refuseWritable(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if runtime.GOOS == "windows" || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 == 0 {
		return nil
	}
	return fmt.Errorf("%s can be changed by others (its mode is %04o): run chmod go-w %s", file.Name(), info.Mode().Perm(), shellQuote(file.Name()))
}

// readFile reads a small file that nobody else may change.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := refuseWritable(file); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(file, longestPassword+1))
	if err == nil && len(content) > longestPassword {
		err = fmt.Errorf("%s is longer than %d bytes", path, longestPassword)
	}
	return content, err
}

// readFileUntil is readFile for what may be a pipe, that nobody writes into.
func readFileUntil(ctx context.Context, path string) ([]byte, error) {
	type outcome struct {
		content []byte
		err     error
	}
	read := make(chan outcome, 1)
	go func() {
		content, err := readFile(path)
		read <- outcome{content, err}
	}()
	select {
	case o := <-read:
		return o.content, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%s took too long to read (%w): see --timeout", path, ctx.Err())
	}
}

// cacheKeySize is that of jwtsession.Config.CacheKey.
const cacheKeySize = 32

// readCacheKey returns nil if there is no such setting.
func readCacheKey(file setting) ([]byte, error) {
	if file.value == "" {
		return nil, nil
	}
	content, err := readFile(file.value)
	if err != nil {
		return nil, fmt.Errorf("read the cache's key (%s): %w", file.from, err)
	}
	if len(content) == cacheKeySize {
		return content, nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(content)))
	if err != nil || len(key) != cacheKeySize {
		err = errors.New("it is neither 32 bytes nor their base64: make one with openssl rand -base64 32")
		return nil, fmt.Errorf("read the cache's key (%s): %w", file.from, err)
	}
	return key, nil
}
