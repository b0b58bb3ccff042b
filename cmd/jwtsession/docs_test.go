package main

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

const docsDirectory = "../../docs"

var updateDocs = flag.Bool("update", false, "write docs/ as the commands have it, in place of comparing")

// docs are the pages of all commands, by their file names.
func docs(t *testing.T) map[string]string {
	t.Helper()
	root := newRootCommand()
	root.DisableAutoGenTag = true // it has the date
	root.InitDefaultCompletionCmd()
	forEachCommand(root, func(cmd *cobra.Command) {
		if cmd.Long != "" && (cmd.Parent() == nil || cmd.Parent().Name() != "completion") { // cobra's own are paragraphs
			cmd.Long = "```\n" + cmd.Long + "\n```"
		}
	})
	directory := t.TempDir()
	if err := doc.GenMarkdownTree(root, directory); err != nil {
		t.Fatal(err)
	}
	return pagesIn(t, directory)
}

func pagesIn(t *testing.T, directory string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(directory, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pages[filepath.Base(name)] = strings.ReplaceAll(string(content), "\r\n", "\n")
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
		if _, hasCommand := want[name]; !hasCommand && strings.HasPrefix(name, "jwtsession") {
			t.Errorf("docs/%s belongs to no command: delete it", name)
		}
	}
}
