package core

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jwtsession/jwtsession/internal/longtest"
)

// planted are faults in the core that the explorer must find, each a text to be
// replaced in a file.
var planted = []struct{ name, file, right, wrong string }{
	{
		"the state as it is when a session comes back is not looked at", "judge.go",
		`overtaken := how != EventAdopted && m.Way.Overtaken`,
		`overtaken := false`,
	},
	{
		"what NotBefore says is forgotten", "found.go",
		`before := bygone || found.Issued < m.NotBefore`,
		`before := bygone`,
	},
	{
		"there is no pause", "step.go",
		`if m.Trust == Doubted && m.Held.live(m.now) && m.Rung == Twice && m.recently(m.RungSince) {`,
		`if false {`,
	},
	{
		"the pause has no end", "step.go",
		`if m.Trust == Doubted && m.Held.live(m.now) && m.Rung == Twice && m.recently(m.RungSince) {`,
		`if m.Trust == Doubted && m.Held.live(m.now) && m.Rung == Twice {`,
	},
	{
		"nobody is woken after a failure", "step.go",
		"func (m *step) fail(a Answer) Op {\n\tif m.Want {",
		"func (m *step) fail(a Answer) Op {\n\tm.Want = false\n\tif m.Want {",
	},
	{
		"the timer is not set", "judge.go",
		`m.Due = refreshPoint(s, m.in.Draw)`,
		`m.Due = 0`,
	},
	{
		"an older session is adopted", "found.go",
		`if (older || m.in.Doubtful) && m.held(m.now) {`,
		`if (older && false || m.in.Doubtful) && m.held(m.now) {`,
	},
	{
		"a 401 to the log-out is taken for done", "leave.go",
		`if w.Found.alive(m.now) && (newest.Token == "" || w.Found.Issued > newest.Issued) {`,
		`if false {`,
	},
	{
		"what is suspect is handed out where the server cannot be asked", "found.go",
		`m.hold(found, Suspect)`,
		`m.hold(found, Doubted)`,
	},
	{
		"others are not told of a State that has been used", "judge.go",
		`return m.tell(false)`,
		`return Op{}`,
	},
	{
		"what was asked in vain is asked again at each rejection", "judge.go",
		`rests = wait`,
		`rests = 0`,
	},
	{
		"the failure of a call from before a rejection is an answer to it", "judge.go",
		`trust = Doubted`,
		`trust = Good`,
	},
	{
		"a call is made before the end of Retry-After", "judge.go",
		`wait := max(retry, in.RetryAfter)`,
		`wait := retry`,
	},
	{
		"a session that was revoked is stored", "leave.go",
		"w.Found = Session{}\n\t\tw.Deleted",
		"w.Found = Session{}\n" +
			"if w.Leased {\nm.told(Answer{})\nreturn Op{Kind: Store, Session: done.Session}\n}\nw.Deleted",
	},
}

// TestExploreFindsPlantedFaults runs the explorer on copies of the core that are
// wrong.
func TestExploreFindsPlantedFaults(t *testing.T) {
	longtest.Run(t)
	for _, p := range planted {
		t.Run(p.name, func(t *testing.T) {
			history := exploreWith(t, p.file, p.right, p.wrong)
			if history == nil {
				t.Fatal("expected a fault, got none")
			}
			t.Logf("found after %d steps: %s", len(history)-2, strings.TrimSpace(history[len(history)-1]))
		})
	}
}

// exploreWith returns the first history that the explorer prints for a core in
// which a text is replaced.
func exploreWith(t *testing.T, file, right, wrong string) []string {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), right); n != 1 {
		t.Fatalf("%s: expected one %q to replace, got %d", file, right, n)
	}
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, file), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), right, wrong, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "test", "-overlay", overlay, "-failfast", "-run", "FindsNoHistory", ".", "-explore.worlds=1000000").CombinedOutput()
	if err == nil {
		return nil
	}
	found := regexp.MustCompile(`(?ms)^ +in the beginning .*?^ +\S[^|\n]*$`).FindString(string(out))
	if found == "" {
		t.Fatalf("expected a history, got\n%s", out)
	}
	return strings.Split(found, "\n")
}
