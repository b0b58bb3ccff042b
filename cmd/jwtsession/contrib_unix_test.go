//go:build unix

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// The sidecar's own command line and probe, on this machine.
func TestTheSidecarOfKubernetesIsReadyWhenItIsSignedIn(t *testing.T) {
	content, err := os.ReadFile("../../contrib/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var deployment struct {
		Spec struct {
			Template struct {
				Spec struct {
					InitContainers []struct {
						Args           []string
						StartupProbe   struct{ Exec struct{ Command []string } } `yaml:"startupProbe"`
						ReadinessProbe struct{ Exec struct{ Command []string } } `yaml:"readinessProbe"`
					} `yaml:"initContainers"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(content, &deployment); err != nil {
		t.Fatal(err)
	}
	sidecar := deployment.Spec.Template.Spec.InitContainers[0]
	installed := strings.Trim(lineOf(t, "../../contrib/Containerfile", "ENTRYPOINT "), `[]"`)
	if probed := sidecar.StartupProbe.Exec.Command[0]; probed != installed || strings.Fields(lineOf(t, "../../contrib/Containerfile", "COPY --from=build /jwtsession "))[0] != installed {
		t.Errorf("the probe runs %s, and the Containerfile has %s, want one path", probed, installed)
	}
	if ready := sidecar.ReadinessProbe.Exec.Command; !slices.Equal(ready, sidecar.StartupProbe.Exec.Command) {
		t.Errorf("the probe of its readiness is %q, want what shows that it has started", ready)
	}
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "password"), []byte(sessiontest.Password), 0o444); err != nil {
		t.Fatal(err)
	}
	here := func(args []string) []string {
		text := strings.Join(args, "\n")
		return strings.Split(strings.NewReplacer("/login/", directory+"/", "/cache/", directory+"/", "127.0.0.1:8888", "127.0.0.1:0").Replace(text), "\n")
	}
	b := newBox(t, "--latency", "300ms").with("JWTSESSION_PASSWORD=")
	probe := here(sidecar.StartupProbe.Exec.Command[1:])
	if code, _, _ := b.run(t, probe...); code != exitFailure {
		t.Errorf("before the proxy: got code %d, want %d", code, exitFailure)
	}
	p := start(t, withoutEmpty(b.environment), here(sidecar.Args)...)
	p.line(t, "The proxy is at ")
	for begin := time.Now(); ; {
		code, stdout, stderr := b.run(t, probe...)
		if code == exitOK {
			break
		}
		if time.Since(begin) > patience {
			t.Fatalf("the probe: got code %d, %s and %q, want that it is signed in", code, stdout, stderr)
		}
	}
}

// A dashboard that asks for metrics which there are not shows nothing, and nobody
// knows why.
func TestTheDashboardAsksForMetricsThatThereAre(t *testing.T) {
	content, err := os.ReadFile("../../contrib/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(content) {
		t.Fatal("the dashboard is no JSON")
	}
	b := newBox(t)
	_, url := b.proxying(t)
	curl(t, url+"/me")
	metrics := curl(t, url+"/-/metrics")
	asked := regexp.MustCompile(`jwtsession_[a-z_]+`).FindAllString(string(content), -1)
	if len(asked) < 8 {
		t.Errorf("got %d metrics, want those of a session and of a proxy", len(asked))
	}
	for _, name := range asked {
		if !strings.Contains(metrics.text, "\n"+name) {
			t.Errorf("the proxy has no metric %s", name)
		}
	}
}
