package protocols

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestEveryDescriptionCanBeUsed(t *testing.T) {
	last := ""
	for name, p := range All() {
		if name <= last {
			t.Errorf("%s comes after %s, want them in order", name, last)
		}
		last = name
		if _, err := p.NewClient("https://api.example.com", nil, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if byName, found := ByName(name); !found || !reflect.DeepEqual(byName, p) {
			t.Errorf("%s: ByName got %v, found: %v; want the same", name, byName, found)
		}
	}
	if p, found := ByName("nothing"); found {
		t.Errorf("got %v for a name that nothing has", p)
	}
}

// O7: each has a name, says what it was tried against, and where it is from.
func TestEveryVariableHasANameAndSaysWhereItIsFrom(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			variables, ok := decl.(*ast.GenDecl)
			if !ok || variables.Tok != token.VAR {
				continue
			}
			for _, spec := range variables.Specs {
				value := spec.(*ast.ValueSpec)
				if name := value.Names[0].Name; value.Names[0].IsExported() {
					documented[name] = variables.Doc.Text() + value.Doc.Text()
				}
			}
		}
	}
	for name, doc := range documented {
		if name == "PacerPro" {
			continue
		}
		if !strings.Contains(doc, "Tried against") && !strings.Contains(doc, "From the ") {
			t.Errorf("%s does not say what it was tried against, or which documentation it is from", name)
		}
		if !strings.Contains(doc, "https://") && !strings.Contains(doc, "as PocketBase") {
			t.Errorf("%s has no link", name)
		}
	}
	if len(documented) != len(byName) || len(byName) < 26 {
		t.Errorf("%d variables are documented, and %d have names", len(documented), len(byName))
	}
}
