package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The files in contrib start the command: with a flag that it does not have they
// would fail where nobody tests them.
func TestTheFilesInContribStartTheProxyWithFlagsThatItHas(t *testing.T) {
	unit := lineOf(t, "../../contrib/jwtsession-proxy.service", "ExecStart=/usr/local/bin/jwtsession ")
	var container []string
	if err := json.Unmarshal([]byte(lineOf(t, "../../contrib/Containerfile", "CMD ")), &container); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"the unit": strings.Fields(unit), "the container": container} {
		cmd, rest, err := newRootCommand().Find(args)
		if err != nil || cmd.Name() != "proxy" {
			t.Fatalf("%s: got %q (%v), want the command proxy", name, args, err)
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left := cmd.Flags().Args(); len(left) > 0 {
			t.Errorf("%s: got %q beside the flags, want none", name, left)
		}
	}
}

// lineOf returns what follows a prefix in the one line that has it.
func lineOf(t *testing.T, file, prefix string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if rest, found := strings.CutPrefix(line, prefix); found {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("%s has no line %q", file, prefix)
	return ""
}
