package core

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pure is all that the core may import, and of time what it may use: no clock, no
// timer and no zone (M1).
var (
	pure     = []string{"cmp", "errors", "math", "slices", "time"}
	pureTime = []string{"Duration", "Time", "Unix", "Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour"}
)

func TestTheCoreImportsNothingThatIsNotPure(t *testing.T) {
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		read++
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if name := strings.Trim(i.Path.Value, `"`); !slices.Contains(pure, name) || i.Name != nil {
				t.Errorf("%s: expected imports of %v by their own names, got %s", files.Position(i.Pos()), pure, i.Path.Value)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt, *ast.SelectStmt, *ast.ChanType:
				t.Errorf("%s: expected no goroutine and no channel", files.Position(n.Pos()))
			case *ast.SelectorExpr:
				if p, ok := n.X.(*ast.Ident); ok && p.Name == "time" && !slices.Contains(pureTime, n.Sel.Name) {
					t.Errorf("%s: expected of time only %v, got time.%s", files.Position(n.Pos()), pureTime, n.Sel.Name)
				}
			}
			return true
		})
	}
	if read < 2 {
		t.Errorf("expected the files of the core, got %d", read)
	}
}
