package main

import (
	"errors"
	"flag"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

const docsDirectory = "../../docs"

var updateDocs = flag.Bool("update", false, "write docs/ as the commands have it, in place of comparing")

// docs are the pages of all commands, by their names in docs/: for the web, and
// below man/ for man.
func docs(t *testing.T) map[string]string {
	t.Helper()
	root := newRootCommand()
	root.DisableAutoGenTag = true // it has the date
	addCompletion(root)
	forEachCommand(root, func(cmd *cobra.Command) {
		if cmd.Long != "" && (cmd.Parent() == nil || cmd.Parent().Name() != "completion") { // cobra's own are paragraphs
			cmd.Long = "```\n" + cmd.Long + "\n```"
		}
	})
	directory := t.TempDir()
	if err := os.Mkdir(filepath.Join(directory, "man"), 0o700); err != nil {
		t.Fatal(err)
	}
	never := time.Time{}
	header := doc.GenManHeader{Date: &never, Source: "jwtsession", Manual: "jwtsession"}
	if err := errors.Join(doc.GenMarkdownTree(root, directory), doc.GenManTree(root, &header, filepath.Join(directory, "man"))); err != nil {
		t.Fatal(err)
	}
	pages := pagesIn(t, directory)
	for name, content := range pages {
		pages[name] = strings.Replace(content, never.Format("Jan 2006"), "", 1)
	}
	return pages
}

// pagesIn are the pages of commands in a directory, by their names.
func pagesIn(t *testing.T, directory string) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"jwtsession*.md", "man/*"} {
		names, err := filepath.Glob(filepath.Join(directory, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			pages[path.Join(path.Dir(pattern), filepath.Base(name))] = strings.ReplaceAll(string(content), "\r\n", "\n")
		}
	}
	return pages
}

func forEachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, sub := range cmd.Commands() {
		forEachCommand(sub, do)
	}
}

func TestThePagesInDocsAreThoseOfTheCommands(t *testing.T) {
	want, got := docs(t), pagesIn(t, docsDirectory)
	const advice = "run: go test ./cmd/jwtsession -run TestThePagesInDocs -update"
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch {
		case want[name] == got[name]:
		case *updateDocs:
			if err := os.WriteFile(filepath.Join(docsDirectory, name), []byte(want[name]), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("docs/%s is not what its command has (%d bytes, want %d); %s", name, len(got[name]), len(want[name]), advice)
		}
	}
	for name := range got {
		if _, hasCommand := want[name]; !hasCommand {
			t.Errorf("docs/%s belongs to no command: delete it", name)
		}
	}
}
