package scale

import (
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sessionLatency is how long the session API takes, and resourceLatency the
// resource behind it.
var sessionLatency = flag.Duration("session", 300*time.Millisecond, "how long a session call takes")

const resourceLatency = 50 * time.Millisecond

// api is a session API in memory with one user per password. All tokens of a
// generation have one jti, which a log-out everywhere changes.
type api struct {
	life time.Duration

	mu         sync.Mutex // guards the rest; never held while waiting
	generation int
	signIns    meter
	refreshes  meter
	rejected   meter // 401s to requests for the resource
}

// RoundTrip implements [http.RoundTripper].
func (a *api) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		io.Copy(io.Discard, req.Body)
		req.Body.Close()
	}
	isSession := strings.HasSuffix(req.URL.Path, "/session")
	latency := resourceLatency
	if isSession {
		latency = *sessionLatency
	}
	select {
	case <-time.After(latency):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	status, body := http.StatusOK, "{}"
	switch isCurrent := strings.Contains(req.Header.Get("Authorization"), "."+a.claims()); {
	case isSession && req.Method == http.MethodPost:
		a.signIns.count(now)
		body = a.session(now)
	case !isCurrent && isSession:
		status = http.StatusUnauthorized
	case !isCurrent:
		a.rejected.count(now)
		status = http.StatusUnauthorized
	case isSession:
		a.refreshes.count(now)
		body = a.session(now)
	}
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(body)),
		Request:    req,
	}, nil
}

// claims is what the tokens of this generation have in common: how their claims
// begin, as they are written in a token.
func (a *api) claims() string {
	id := fmt.Sprintf(`{"jti":"%08d-0000-4000-8000-000000000000", "sub":1`, a.generation) // 54 bytes: a multiple of three
	return base64.RawURLEncoding.EncodeToString([]byte(id))
}

func (a *api) session(now time.Time) string {
	expires := now.Add(a.life)
	rest := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `,"exp":%d,"scp":"user"}`, expires.Unix()))
	return fmt.Sprintf(`{"jwtToken":"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.%s%s.c2lnbmF0dXJlIG9mIHRoaXJ0eS10d28gYnl0ZXMh","expiresAt":"%s"}`,
		a.claims(), rest, expires.UTC().Format(time.RFC3339))
}

// logOutEverywhere ends all tokens that there are.
func (a *api) logOutEverywhere() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.generation++
}

// meter counts what happens, second by second.
type meter struct{ seconds map[int64]int }

func (m *meter) count(now time.Time) {
	if m.seconds == nil {
		m.seconds = make(map[int64]int)
	}
	m.seconds[now.Unix()]++
}

// between returns how many there were from start until end, and how many in the
// second that had the most.
func (m *meter) between(start, end time.Time) (all, most int) {
	for at, n := range m.seconds {
		if at >= start.Unix() && at < end.Unix() {
			all += n
			most = max(most, n)
		}
	}
	return all, most
}
