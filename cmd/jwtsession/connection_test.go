package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// A server with an authority of its own, that wants its clients to show a
// certificate of the same.
func TestACommandTrustsTheAuthoritiesInAFileAndShowsItsCertificate(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	authority, clientFile := writeAuthority(t, directory)
	box := sessiontest.NewServer()
	defer box.Close()
	server := httptest.NewUnstartedServer(box)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{authority}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	server.TLS.ClientCAs.AddCert(authority.Leaf)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	b := boxAt(t, server.URL+"/v1")
	caFile := filepath.Join(directory, "ca.pem")
	if code, _, stderr := b.run(t, "token", "--timeout", "2s"); code != exitUnreachable || !strings.Contains(stderr, "--ca-file") {
		t.Errorf("without the authority: got code %d and %q, want %d and the flag for it", code, stderr, exitUnreachable)
	}
	if code, _, stderr := b.run(t, "token", "--timeout", "2s", "--ca-file", caFile); code != exitUnreachable || !strings.Contains(stderr, "certificate required") {
		t.Errorf("without a certificate: got code %d and %q, want %d and what is required", code, stderr, exitUnreachable)
	}
	b.token(t, "--ca-file", caFile, "--client-cert", clientFile)
	b = b.with("JWTSESSION_CA_FILE="+caFile, "JWTSESSION_CLIENT_CERT="+clientFile)
	if code, stdout, stderr := b.run(t, "api", "GET", "/me"); code != exitOK || !strings.Contains(stdout, sessiontest.Email) {
		t.Errorf("api: got code %d, %q and %q, want who is signed in", code, stdout, stderr)
	}
	if code, _, stderr := b.run(t, "token", "--client-cert", caFile); code != exitUsage || !strings.Contains(stderr, "if the key is in another file, give --client-key") {
		t.Errorf("a certificate without its key: got code %d and %q, want %d and how to give the key", code, stderr, exitUsage)
	}
	for _, flag := range []string{"--ca-file", "--client-cert", "--client-key"} {
		if code, _, stderr := b.run(t, "token", flag, filepath.Join(directory, "none")); code != exitUsage || !strings.Contains(stderr, "no such file") {
			t.Errorf("%s: got code %d and %q, want %d and that there is no such file", flag, code, stderr, exitUsage)
		}
	}
}

// writeAuthority writes the certificate of an authority of its own to ca.pem, and
// one with its key to the file that it returns.
func writeAuthority(t *testing.T, directory string) (certificate tls.Certificate, withKey string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test's authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificatePEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	withKey = filepath.Join(directory, "client.pem")
	for name, content := range map[string][]byte{filepath.Join(directory, "ca.pem"): certificatePEM, withKey: append(keyPEM, certificatePEM...)} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if certificate, err = tls.X509KeyPair(certificatePEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return certificate, withKey
}
