package jwtsession

import (
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// readmePackages are those that the README's pieces of Go use without importing
// them, as an editor would.
var readmePackages = []string{
	"context", "crypto/tls", "encoding/json", "fmt", "log/slog", "net/http", "os", "strings", "time",
	"golang.org/x/oauth2", "github.com/prometheus/client_golang/prometheus", "github.com/redis/go-redis/v9",
	modulePath, modulePath + "/cache/filecache", modulePath + "/cache/rediscache", modulePath + "/sessionprom", modulePath + "/sessiontest",
}

// Each is built as it stands: what is no whole program goes into a function that
// has a token source, or beside one.
func TestEachPieceOfGoInTheREADMEIsBuilt(t *testing.T) {
	t.Parallel() // beside the fleets, which wait more than they work
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllStringSubmatch(string(readme), -1)
	if len(blocks) < 9 {
		t.Errorf("the README has %d pieces of Go, want one for each way of use", len(blocks))
	}
	directory, err := os.MkdirTemp("testdata", "readme-") // in this module, whose packages they use
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	for i, block := range blocks {
		piece := filepath.Join(directory, fmt.Sprint("piece", i))
		write(t, filepath.Join(piece, "piece.go"), programOf(t, block[1]))
	}
	if out, err := exec.Command("go", "vet", "./"+directory+"/...").CombinedOutput(); err != nil {
		t.Errorf("the README's pieces of Go: %v\n%s", err, out)
	}
}

// programOf makes a file of a piece of Go.
func programOf(t *testing.T, piece string) string {
	t.Helper()
	if strings.HasPrefix(piece, "package ") {
		return piece
	}
	body := piece
	if !strings.HasPrefix(piece, "type ") && !strings.HasPrefix(piece, "func ") {
		body = "func piece(ts *jwtsession.TokenSource) error {\n{\n" + piece + uses(t, piece) + "}\nreturn nil\n}\n"
	}
	var imports strings.Builder
	for _, path := range readmePackages {
		name := strings.TrimSuffix(path, "/v9")
		name = strings.TrimPrefix(name[strings.LastIndexByte(name, '/')+1:], "go-")
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(body) {
			fmt.Fprintf(&imports, "import %s %q\n", name, path)
		}
	}
	return "package piece\n\n" + imports.String() + body
}

// uses are statements that use what a piece of Go declares for the reader's use.
func uses(t *testing.T, piece string) string {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), "", "package p\nfunc _() {\n"+piece+"}", 0)
	if err != nil {
		t.Fatalf("%v, in:\n%s", err, piece)
	}
	var b strings.Builder
	for _, statement := range file.Decls[0].(*ast.FuncDecl).Body.List {
		if assign, ok := statement.(*ast.AssignStmt); ok && assign.Tok == gotoken.DEFINE {
			for _, name := range assign.Lhs {
				fmt.Fprintf(&b, "_ = %s\n", name.(*ast.Ident).Name)
			}
		}
	}
	return b.String()
}
