package proxy

import (
	"bufio"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
)

// P10: another protocol is spoken if it is allowed, and asked for, and is a WebSocket.
func TestAnUpgradeNeedsAllThatBelongsToIt(t *testing.T) {
	const handshake, plain = "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "\r\n"
	for name, c := range map[string]struct {
		allowed       bool
		asked, to     string
		isConn        bool
		status        int
		code, upgrade string
	}{
		"all of it":          {true, handshake, "WebSocket", true, 101, "", "websocket"},
		"not allowed":        {false, handshake, "websocket", true, 502, "protocol", ""},
		"not asked for":      {true, plain, "websocket", true, 502, "protocol", ""},
		"to something else":  {true, handshake, "h2c", true, 502, "protocol", ""},
		"nothing to talk to": {true, handshake, "websocket", false, 502, "protocol", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, clients := inMemory(t, nil, carriedBy(func(req *http.Request) (*http.Response, error) {
					res := answered(req, -1, nil)
					res.StatusCode = http.StatusSwitchingProtocols
					res.Header.Set("Upgrade", c.to)
					if c.isConn {
						res.Body, _ = net.Pipe()
					}
					return res, nil
				}), func(config *Config) { config.AllowUpgrade = c.allowed })
				res, err := http.ReadResponse(bufio.NewReader(ask(t, clients, signed("GET /socket")+c.asked)), nil)
				if err != nil {
					t.Fatal(err)
				}
				if upgrade := res.Header.Get("Upgrade"); res.StatusCode != c.status || upgrade != c.upgrade {
					t.Errorf("got %d and Upgrade %q, want %d and %q", res.StatusCode, upgrade, c.status, c.upgrade)
				}
				if c.code != "" {
					read(t, res).expect(t, name, c.status, c.code)
				}
			})
		})
	}
}
