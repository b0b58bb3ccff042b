package core

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// M1: what the package may import, and of package time no more than its units.
func TestTheCoreUsesNothingButItsArguments(t *testing.T) {
	imports := []string{"cmp", "errors", "math", "slices", "time"}
	ofTime := []string{"Duration", "Microsecond", "Millisecond", "Minute", "Second", "Time", "Unix"}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		read++
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); !slices.Contains(imports, path) {
				t.Errorf("%s imports %q, want nothing but %q", set.Position(spec.Pos()), path, imports)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt, *ast.SelectStmt, *ast.ChanType, *ast.SendStmt:
				t.Errorf("%s has a goroutine or a channel, want none", set.Position(n.Pos()))
			case *ast.SelectorExpr:
				if of, is := n.X.(*ast.Ident); is && of.Name == "time" && !slices.Contains(ofTime, n.Sel.Name) {
					t.Errorf("%s uses time.%s, want nothing but %q", set.Position(n.Pos()), n.Sel.Name, ofTime)
				}
			}
			return true
		})
	}
	if read == 0 {
		t.Error("no file was read")
	}
}
