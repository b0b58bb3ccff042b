package jwtsession_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The document has a heading for each rule, "### T6: …", and below it links to
// tests, "[TestX](../x_test.go)".
var (
	ruleHeading = regexp.MustCompile(`(?m)^### (\w+)(.*)$`)
	testLink    = regexp.MustCompile(`\[((?:Test|Fuzz|Benchmark|Example)\w*)\]\(\.\./([^)]+)\)`)
	// Not what is percent-encoded.
	ruleNumber = regexp.MustCompile(`(?:^|[^%\w])([STEHXCKMOP][0-9]{1,2})\b`)
)

// documented returns the rules of docs/rules.md, by number, with the tests that
// each names, by "file: function".
func documented(t *testing.T) map[string][]string {
	t.Helper()
	content, err := os.ReadFile("docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	headings := ruleHeading.FindAllStringSubmatchIndex(text, -1)
	rules := map[string][]string{}
	for i, h := range headings {
		number, end := text[h[2]:h[3]], len(text)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		if _, twice := rules[number]; twice || ruleNumber.FindString(number) != number || !strings.HasPrefix(text[h[4]:h[5]], ": ") {
			t.Errorf("docs/rules.md: the heading %q is that of no rule, or stands there twice; want for instance \"### T6: …\"", text[h[0]:h[1]])
		}
		rules[number] = []string{}
		for _, link := range testLink.FindAllStringSubmatch(text[h[1]:end], -1) {
			rules[number] = append(rules[number], link[2]+": "+link[1])
		}
	}
	return rules
}

// eachGoFile calls f with each Go file of the repository, those of the other
// modules in it included.
func eachGoFile(t *testing.T, f func(path, source string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		source, err := os.ReadFile(path)
		if err == nil {
			f(filepath.ToSlash(path), string(source))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheRulesThatTheCodeNamesStandInTheDocument(t *testing.T) {
	rules := documented(t)
	named := 0
	eachGoFile(t, func(path, source string) {
		for i, line := range strings.Split(source, "\n") {
			for _, match := range ruleNumber.FindAllStringSubmatch(line, -1) {
				named++
				if _, known := rules[match[1]]; !known {
					t.Errorf("%s:%d names %s, and docs/rules.md has no such rule", path, i+1, match[1])
				}
			}
		}
	})
	if named < 100 {
		t.Errorf("the code names rules %d times, want to have found some hundreds", named)
	}
}

func TestTheRulesOfTheDocumentAreShownByTests(t *testing.T) {
	tests := map[string][]string{} // by name, the files that have one
	eachGoFile(t, func(path, source string) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, is := decl.(*ast.FuncDecl); is && f.Recv == nil {
				tests[f.Name.Name] = append(tests[f.Name.Name], path)
			}
		}
	})
	rules := documented(t)
	if len(rules) < 70 {
		t.Errorf("docs/rules.md has %d rules, want to have found all of them", len(rules))
	}
	for _, number := range slices.Sorted(maps.Keys(rules)) {
		if len(rules[number]) == 0 {
			t.Errorf("docs/rules.md names no test that shows %s", number)
		}
		for _, test := range rules[number] {
			path, name, _ := strings.Cut(test, ": ")
			if !slices.Contains(tests[name], path) {
				t.Errorf("docs/rules.md says that %s shows %s, and %s has no such test; there is one in %q", name, number, path, tests[name])
			}
		}
	}
}
