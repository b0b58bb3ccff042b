package proxy

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession"
)

const websocket = "GET /socket HTTP/1.1\nHost: HOST\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"

// P2: net/http would read the rest of the body when the handler is over, and then
// panic at the end of the next one, which here has come already.
func TestAProtocolThatNobodyAskedForEndsAConnectionWithABodyOnIt(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(buffered, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		buffered.Flush()
	})
	p := a.running(t)
	conn, reader := dial(t, p)
	post(t, p, conn, "POST /a HTTP/1.1\nHost: HOST\nTransfer-Encoding: chunked\n\na\n0123456789\n")
	next(t, reader).expect(t, "101 to a POST", 502, "protocol")
	if _, err := reader.ReadByte(); err != io.EOF {
		t.Errorf("got %v, want the end of a connection with a body on it that nobody has read", err)
	}
}

// RFC 6455 has a GET without a body.
func TestARequestWithABodyIsNoHandshakeOfAWebSocket(t *testing.T) {
	asked := make(chan string, 1)
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) { asked <- r.Header.Get("Upgrade") })
	p := a.running(t, func(c *Config) { c.AllowUpgrade = true })
	conn, reader := dial(t, p)
	post(t, p, conn, strings.Replace(websocket, "\n\n", "\nContent-Length: 1\n\nx", 1))
	if got := next(t, reader); got.status != 200 {
		t.Errorf("got %d %q, want the API's answer", got.status, got.text)
	}
	if got := <-asked; got != "" {
		t.Errorf("the API was asked for %q, want no other protocol", got)
	}
}

func TestAWebSocketPassesSignedIn(t *testing.T) {
	signedIn := make(chan bool, 1)
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		signedIn <- strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ey") && r.Header.Get("Sec-Websocket-Key") != ""
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(buffered, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSet-Cookie: a=b\r\n\r\n")
		buffered.Flush()
		for {
			line, err := buffered.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(conn, strings.ToUpper(line))
		}
	})
	p := a.listening(t, func(c *Config) { c.AllowUpgrade = true })
	stop, ended := serve(t, p)
	conn, reader := dial(t, p)
	post(t, p, conn, websocket)
	res, err := http.ReadResponse(reader, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Upgrade") != "websocket" || res.Header.Get("Set-Cookie") != "" {
		t.Fatalf("got %v (%v), want 101 without a cookie", res, err)
	}
	if !await(t, signedIn, "the API's request") {
		t.Error("the API got no token, want it")
	}
	for _, line := range []string{"one\n", "two\n"} {
		io.WriteString(conn, line)
		if got, err := reader.ReadString('\n'); got != strings.ToUpper(line) {
			t.Fatalf("sent %q, got %q (%v)", line, got, err)
		}
	}
	stop()
	await(t, ended, "the end of Serve, which ends what was upgraded")
	if _, err := reader.ReadByte(); err == nil {
		t.Error("after the stop: got a byte, want the end")
	}
}

// gRPC is HTTP/2 with trailers, here without TLS on both sides.
func TestGRPCPassesWithoutTLS(t *testing.T) {
	a := newAPI(t, nil)
	a.Server.Close()
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(a.serve))
	a.Server.Config.Protocols = new(http.Protocols)
	a.Server.Config.Protocols.SetHTTP1(true)
	a.Server.Config.Protocols.SetUnencryptedHTTP2(true)
	a.Server.Start()
	a.base = a.URL
	a.resource = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/session" {
			r.URL.Path = "/v1/session"
			a.box.ServeHTTP(w, r)
			return
		}
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ey") {
			t.Errorf("the API got %s, Te %q; want HTTP/2, trailers, and a token", r.Proto, r.Header.Get("Te"))
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		http.NewResponseController(w).Flush()
		for messages := bufio.NewReader(r.Body); ; { // each is answered before the next one comes
			message, err := readMessage(messages)
			if err != nil {
				break
			}
			writeMessage(w, bytes.ToUpper(message))
			http.NewResponseController(w).Flush()
		}
		w.Header().Set("Grpc-Status", "0")
	}
	a.source = newSource(t, jwtsession.Config{BaseURL: a.base})
	p := a.running(t)
	transport := withoutTLS()
	defer transport.CloseIdleConnections()
	reader, writer := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	res, err := transport.RoundTrip(request(t, "POST", p.URL()+"/runs.Runs/Follow", reader, "Content-Type: application/grpc", "Te: trailers").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	for _, message := range []string{"one", "two"} {
		writeMessage(writer, []byte(message))
		if got, err := readMessage(answers); string(got) != strings.ToUpper(message) {
			t.Fatalf("sent %q, got %q (%v) of %d", message, got, err, res.StatusCode)
		}
	}
	writer.Close()
	io.ReadAll(answers)
	if res.ProtoMajor != 2 || res.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("got %s and Grpc-Status %q, want HTTP/2 and 0", res.Proto, res.Trailer.Get("Grpc-Status"))
	}
}

func writeMessage(w io.Writer, message []byte) {
	head := make([]byte, 5, 5+len(message))
	binary.BigEndian.PutUint32(head[1:], uint32(len(message)))
	w.Write(append(head, message...))
}

func readMessage(r io.Reader) ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(r, message)
	return message, err
}

func TestAnUpgradeToAnythingElseDoesNotPass(t *testing.T) {
	a := newAPI(t, nil)
	p := a.running(t, func(c *Config) { c.AllowUpgrade = true })
	got := send(t, p, "GET /me HTTP/1.1\nHost: HOST\nConnection: Upgrade\nUpgrade: h2c\n\n")
	if sent := a.last(t).header; got.status != 200 || sent.Get("Upgrade") != "" {
		t.Errorf("got %d, and the API Upgrade %q; want 200, and none", got.status, sent.Get("Upgrade"))
	}
}
