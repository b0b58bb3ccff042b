package proxy

import (
	"context"
	"io"
	"net/http"
	"strings"
)

// upgrade joins the client and the API once they speak another protocol. The
// proxy's end ends it.
func (p *passage) upgrade(res *http.Response) {
	p.mu.Lock()
	p.phase = streaming
	p.mu.Unlock()
	api, isConn := res.Body.(io.ReadWriteCloser)
	if !isConn || !p.config.AllowUpgrade || !p.isUpgrade() || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
		p.failInstead(&failure{http.StatusBadGateway, "protocol", "The API switched to a protocol that it was not asked for.", 0})
		return
	}
	header := http.Header{}
	p.answers.copy(header, res.Header)
	header.Set("Connection", "Upgrade")
	header.Set("Upgrade", "websocket")
	client, buffered, err := p.control().Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	p.status = http.StatusSwitchingProtocols
	p.upgrades.Add(1)
	defer p.upgrades.Done()
	end := context.AfterFunc(p.ended, func() {
		client.Close()
		api.Close()
	})
	defer end()
	defer client.Close()
	defer api.Close()
	first := &http.Response{StatusCode: http.StatusSwitchingProtocols, ProtoMajor: 1, ProtoMinor: 1, Header: header}
	if first.Write(buffered) != nil || buffered.Flush() != nil {
		return
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		io.Copy(api, buffered) // with what came right after the request
		api.Close()            // WebSocket says farewell within itself
	}()
	p.bytes, _ = io.Copy(client, api)
	client.Close()
	<-sent
}
