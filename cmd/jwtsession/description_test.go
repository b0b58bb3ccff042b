package main

import (
	"testing"

	"github.com/BurntSushi/toml"
)

func TestATextInADescriptionIsReadAsItWasWritten(t *testing.T) {
	for _, text := range []string{
		"", "plain", `{"email":"{email}"}`, "POST /x\n\n{\"a\": 1}", "it's", `it's "so"`, "lines,\nit's \"so\"", "three ''' and\na line",
		"ends with '\n'", "\nbegins with a line", `a\b`, "tab\tand\rreturn", "bell\a and \x7f", "<&> \u2028 ü 漢",
	} {
		var read struct{ Text string }
		written := "text = " + quoteTOML(text) + "\n"
		if _, err := toml.Decode(written, &read); err != nil || read.Text != text {
			t.Errorf("%q was written as %s: got %q and error %v", text, written, read.Text, err)
		}
	}
}
