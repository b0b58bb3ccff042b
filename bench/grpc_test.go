package bench

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/oauth"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// A gRPC client takes the source through grpc's own adapter of an
// oauth2.TokenSource; the gRPC server asks the session API of each token.
func TestAGRPCClientIsSignedInOnEveryCall(t *testing.T) {
	box := newBox(t, 3*time.Second)
	ts := newSource(t, box)
	address, authorities := serveHealth(t, box)
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(authorities, "")),
		grpc.WithPerRPCCredentials(oauth.TokenSource{TokenSource: ts}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := healthpb.NewHealthClient(conn)
	check := func() error {
		_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{})
		return err
	}

	calls := keepUsing(t, box.Await(sessiontest.OpRefresh, 1), check)
	if got := box.Counts(); got.Creates != 1 || got.Unauthorized != 0 || got.Served != calls {
		t.Errorf("got %d sign-ins, %d rejected calls and %d good ones, want 1, 0 and %d", got.Creates, got.Unauthorized, got.Served, calls)
	}

	box.RevokeAll()
	if got := status.Code(check()); got != codes.Unauthenticated {
		t.Errorf("after a revocation: got %v, want %v", got, codes.Unauthenticated)
	}
	rejected, err := ts.Token()
	if err != nil {
		t.Fatal(err)
	}
	ts.Invalidate(rejected.AccessToken)
	if err := check(); err != nil {
		t.Errorf("after Invalidate: got error %v, want none", err)
	}
}

// serveHealth starts a gRPC server with the health service, over TLS, for those
// whom the box knows. It returns the address, and whom to trust.
func serveHealth(t *testing.T, box *sessiontest.Server) (string, *x509.CertPool) {
	t.Helper()
	tls := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	t.Cleanup(tls.Close)
	authorities := x509.NewCertPool()
	authorities.AddCert(tls.Certificate())

	server := grpc.NewServer(
		grpc.Creds(credentials.NewServerTLSFromCert(&tls.TLS.Certificates[0])),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			if err := admit(ctx, box); err != nil {
				return nil, err
			}
			return handle(ctx, req)
		}))
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: got error %v, want none", err)
		}
	})
	return listener.Addr().String(), authorities
}

// admit asks the session API whether the call's token is a live one.
func admit(ctx context.Context, box *sessiontest.Server) error {
	authorization := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(authorization) != 1 {
		return status.Errorf(codes.InvalidArgument, "got %d authorizations, want 1", len(authorization))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, box.URL+"/me", nil)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	req.Header.Set("Authorization", authorization[0])
	res, err := box.Client().Do(req)
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return status.Error(codes.Unauthenticated, "the session API answers "+res.Status)
	}
	return nil
}
