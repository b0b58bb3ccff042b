package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// report is one run of the program.
type report struct {
	Machine   string   `json:"machine"`
	Libraries []column `json:"libraries"`
	Lines     []line   `json:"lines"`
	Notes     []string `json:"notes"`
}

// column says what a library of the table is, and how it was set up.
type column struct {
	Name    string `json:"name"`
	Module  string `json:"module"`
	Version string `json:"version"`
	Setup   string `json:"setup"`
}

// columns has the versions that this program was built with.
func columns(of []library) (all []column) {
	versions, commit := map[string]string{}, "as it is here"
	if head, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		commit = "at commit " + strings.TrimSpace(string(head))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			versions[module.Path] = module.Version
			if module.Replace != nil {
				versions[module.Path] = commit
			}
		}
	}
	for _, lib := range of {
		all = append(all, column{lib.name, lib.module, cmp.Or(versions[lib.module], "unknown"), lib.setup})
	}
	return all
}

// command writes the table and the pictures of docs/comparison.
const command = "cd bench && go run ./compare -to ../docs/comparison"

// machine says what the program runs on.
func machine() string {
	return fmt.Sprintf("%s, %s/%s, %s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, processor(), runtime.GOMAXPROCS(0))
}

// processor is the processor's name, where the system tells it in a file.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for row := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(row, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor unknown"
}

func (r report) json(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "\t")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

// markdown writes the table, with the reason under it for each line in which the
// first column is behind another one.
func (r report) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Written by `%s`.\n\n| |", r.Machine, command)
	for _, c := range r.Libraries {
		fmt.Fprintf(&b, " %s |", c.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(r.Libraries)))
	var reasons []string
	for _, l := range r.Lines {
		name := l.Name
		if ahead := l.behind(); len(ahead) > 0 {
			reason := fmt.Sprintf("Behind %s: %s", strings.Join(r.names(ahead), ", "), cmp.Or(l.Reason, "no reason is known."))
			if !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
			name += fmt.Sprintf(" (%d)", slices.Index(reasons, reason)+1)
		}
		fmt.Fprintf(&b, "\n| %s |", name)
		for _, c := range l.Cells {
			fmt.Fprintf(&b, " %s |", c.Text)
		}
	}
	b.WriteString("\n\nSmaller is better; – is what a library has no part for. Where another library's figure is the same as jwtsession's, there is no better one: nothing fails, nothing is shown, one signs in.\n")
	if len(reasons) > 0 {
		b.WriteString("\nWhere jwtsession is behind:\n\n")
		for i, reason := range reasons {
			fmt.Fprintf(&b, "%d. %s\n", i+1, reason)
		}
	}
	b.WriteString("\n| library | version | set up with |\n|---|---|---|\n")
	for _, c := range r.Libraries {
		fmt.Fprintf(&b, "| %s | %s %s | %s |\n", c.Name, c.Module, c.Version, c.Setup)
	}
	b.WriteString("\n" + strings.Join(r.Notes, "\n\n") + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (r report) names(at []int) (names []string) {
	for _, i := range at {
		names = append(names, r.Libraries[i].Name)
	}
	return names
}

// unexplained are the lines in which the first column is behind, without a reason
// that holds for all that are ahead.
func (r report) unexplained() (names []string) {
	for _, l := range r.Lines {
		for _, ahead := range r.names(l.behind()) {
			if l.Reason == "" || l.behindOf != nil && !slices.Contains(l.behindOf, ahead) {
				names = append(names, fmt.Sprintf("%s (%s)", l.Name, ahead))
			}
		}
	}
	return names
}
