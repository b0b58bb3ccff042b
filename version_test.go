package jwtsession

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const modulePath = "github.com/jwtsession/jwtsession"

// A program in a module of its own takes the library as a release from a module
// proxy, which is a directory here: it tells the library's version, not its own.
func TestAProgramThatImportsTheLibraryTellsTheLibrarysVersion(t *testing.T) {
	t.Parallel() // beside the fleets, which wait more than they work
	proxy, program := t.TempDir(), t.TempDir()
	writeRelease(t, filepath.Join(proxy, modulePath, "@v"), "v1.2.3")
	write(t, filepath.Join(program, "go.mod"), "module example.com/program\n\ngo 1.26\n\nrequire "+modulePath+" v1.2.3\n")
	write(t, filepath.Join(program, "main.go"), "package main\n\nimport \""+modulePath+"\"\n\nfunc main() { print(jwtsession.Version) }\n")
	modules, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command("go", "run", ".")
	run.Dir = program
	run.Env = append(os.Environ(), "GOFLAGS=-mod=mod -modcacherw", "GOSUMDB=off", "GOMODCACHE="+t.TempDir(),
		"GOPROXY=file://"+filepath.ToSlash(proxy)+",file://"+filepath.ToSlash(strings.TrimSpace(string(modules)))+"/cache/download")
	if out, err := run.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "1.2.3") {
		t.Errorf("got %q and error %v, want 1.2.3", out, err)
	}
}

// writeRelease writes the root package, and what it imports of this module, as
// a module proxy has a release.
func writeRelease(t *testing.T, directory, version string) {
	t.Helper()
	goMod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-deps", "-f", `{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var archive strings.Builder
	files := zip.NewWriter(&archive)
	add := func(path string, content []byte) {
		file, err := files.Create(modulePath + "@" + version + "/" + path)
		if err != nil {
			t.Fatal(err)
		}
		file.Write(content)
	}
	add("go.mod", goMod)
	for _, source := range strings.Fields(string(out)) {
		names, _ := filepath.Glob(filepath.Join(source, "*.go"))
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			path, err := filepath.Rel(root, name)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(path, "_test.go") {
				add(filepath.ToSlash(path), content)
			}
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(directory, version+".info"), `{"Version":"`+version+`"}`)
	write(t, filepath.Join(directory, version+".mod"), string(goMod))
	write(t, filepath.Join(directory, version+".zip"), archive.String())
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
