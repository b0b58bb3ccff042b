//go:build unix

package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/astutil"
	"golang.org/x/tools/go/packages"
)

// chosen is the variable that has the number of the mutant to be, and reached the
// one that names a file into which goes which of them a process comes by.
const chosen, reached = "MUTANT", "MUTANTS_REACHED"

// operators are what becomes of an operator: of a comparison its limit and its
// opposite, of others what is most like them.
var operators = map[token.Token][]token.Token{
	token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS, token.GTR}, token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR, token.LSS},
	token.EQL: {token.NEQ}, token.NEQ: {token.EQL}, token.LAND: {token.LOR}, token.LOR: {token.LAND},
	token.ADD: {token.SUB}, token.SUB: {token.ADD}, token.MUL: {token.QUO}, token.QUO: {token.MUL}, token.REM: {token.MUL},
	token.AND: {token.OR}, token.OR: {token.AND}, token.XOR: {token.AND}, token.SHL: {token.SHR}, token.SHR: {token.SHL}, token.AND_NOT: {token.AND},
	token.ADD_ASSIGN: {token.SUB_ASSIGN}, token.SUB_ASSIGN: {token.ADD_ASSIGN}, token.MUL_ASSIGN: {token.QUO_ASSIGN}, token.QUO_ASSIGN: {token.MUL_ASSIGN},
	token.OR_ASSIGN: {token.AND_ASSIGN}, token.AND_ASSIGN: {token.OR_ASSIGN}, token.INC: {token.DEC}, token.DEC: {token.INC},
	token.BREAK: {token.CONTINUE}, token.CONTINUE: {token.BREAK},
}

// mutant is a change of one operator.
type mutant struct {
	number     int
	in         string // package
	at, change string
}

// plant puts all mutants into the packages below a place, each behind a condition.
func plant(place string, patterns []string) ([]mutant, error) {
	place, err := filepath.EvalSymlinks(place)
	if err != nil {
		return nil, err
	}
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedDeps | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo,
		Dir:  place,
	}, patterns...)
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, p := range loaded {
		if len(p.Errors) > 0 {
			return nil, p.Errors[0]
		}
		in, err := filepath.Rel(place, filepath.Dir(p.CompiledGoFiles[0]))
		if err != nil {
			return nil, err
		}
		for i, f := range p.Syntax {
			g := gardener{Package: p, file: f, in: in, all: all}
			g.plant()
			all = g.all
			if err := write(p.CompiledGoFiles[i], f); err != nil {
				return nil, err
			}
		}
		if err := os.WriteFile(filepath.Join(place, in, "mutant_chosen.go"), fmt.Appendf(nil, choice, p.Name, chosen, reached), 0o600); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// choice is what each package gets. A process may be killed: so it says at once
// what it comes by, in lines that the processes of a test write into one file.
const choice = `package %s

import (
	"os"
	"strconv"
	"sync/atomic"
)

var (
	mutantChosen, _ = strconv.Atoi(os.Getenv(%q))
	mutantReached, _ = os.OpenFile(os.Getenv(%q), os.O_WRONLY|os.O_APPEND, 0)
	mutantsReached [1 << 16]atomic.Bool // and not a map: some tests count allocations
)

func isMutant(n int) bool {
	if mutantReached != nil {
		reachMutant(n)
	}
	return n == mutantChosen
}

func reachMutant(n int) {
	if !mutantsReached[n].Swap(true) {
		mutantReached.WriteString(strconv.Itoa(n) + "\n")
	}
}
`

// write writes a file without its comments, which have no place any more, but for
// what says where it is built.
func write(name string, f *ast.File) error {
	var out bytes.Buffer
	for _, group := range f.Comments {
		if line := group.List[0].Text; group.Pos() < f.Package && constraint.IsGoBuild(line) {
			out.WriteString(line + "\n\n")
		}
	}
	f.Comments = nil
	if err := printer.Fprint(&out, token.NewFileSet(), f); err != nil {
		return err
	}
	return os.WriteFile(name, out.Bytes(), 0o600)
}

// gardener plants mutants in a file.
type gardener struct {
	*packages.Package
	file *ast.File
	in   string
	all  []mutant
}

func (g *gardener) plant() {
	var loops []ast.Node // around the place
	astutil.Apply(g.file, func(c *astutil.Cursor) bool {
		switch n := c.Node().(type) {
		case *ast.GenDecl:
			return n.Tok == token.VAR // a constant has no condition in it
		case *ast.ForStmt, *ast.RangeStmt:
			loops = append(loops, n)
		}
		return true
	}, func(c *astutil.Cursor) bool {
		inList := c.Index() >= 0
		switch n := c.Node().(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			loops = loops[:len(loops)-1]
		case *ast.BinaryExpr:
			if of := g.typeOf(n); of != nil {
				g.expression(c, n, of)
			}
		case *ast.AssignStmt:
			if inList && len(operators[n.Tok]) > 0 && !isText(g.TypesInfo.TypeOf(n.Lhs[0])) {
				g.statement(c, n.TokPos, n.Tok, func(to token.Token) ast.Stmt { return &ast.AssignStmt{Lhs: n.Lhs, Tok: to, Rhs: n.Rhs} })
			}
		case *ast.IncDecStmt:
			if inList {
				g.statement(c, n.TokPos, n.Tok, func(to token.Token) ast.Stmt { return &ast.IncDecStmt{X: n.X, Tok: to} })
			}
		case *ast.BranchStmt:
			if inList && n.Label == nil && len(loops) > 0 && (n.Tok == token.BREAK || hasEnd(loops[len(loops)-1])) {
				g.statement(c, n.TokPos, n.Tok, func(to token.Token) ast.Stmt { return &ast.BranchStmt{Tok: to} })
			}
		}
		return true
	})
}

// expression makes X op Y a function that returns what becomes of it.
func (g *gardener) expression(c *astutil.Cursor, n *ast.BinaryExpr, of ast.Expr) {
	var body []ast.Stmt
	for _, to := range operators[n.Op] {
		changed := &ast.ReturnStmt{Results: []ast.Expr{&ast.BinaryExpr{X: n.X, Op: to, Y: n.Y}}}
		body = append(body, &ast.IfStmt{Cond: g.is(n.OpPos, n.Op, to), Body: block(changed)})
	}
	body = append(body, &ast.ReturnStmt{Results: []ast.Expr{&ast.BinaryExpr{X: n.X, Op: n.Op, Y: n.Y}}})
	result := &ast.FieldList{List: []*ast.Field{{Type: of}}}
	c.Replace(&ast.CallExpr{Fun: &ast.FuncLit{Type: &ast.FuncType{Params: &ast.FieldList{}, Results: result}, Body: block(body...)}})
}

// statement makes a statement a choice.
func (g *gardener) statement(c *astutil.Cursor, at token.Pos, from token.Token, changed func(token.Token) ast.Stmt) {
	if to := operators[from]; len(to) > 0 {
		c.Replace(&ast.IfStmt{Cond: g.is(at, from, to[0]), Body: block(changed(to[0])), Else: block(c.Node().(ast.Stmt))})
	}
}

// is counts a mutant, and returns the condition that it is chosen.
func (g *gardener) is(at token.Pos, from, to token.Token) ast.Expr {
	position := g.Fset.Position(at)
	number := len(g.all) + 1
	g.all = append(g.all, mutant{
		number: number, in: g.in, change: fmt.Sprintf("%v → %v", from, to),
		at: fmt.Sprintf("%s:%d:%d", filepath.Join(g.in, filepath.Base(position.Filename)), position.Line, position.Column),
	})
	return &ast.CallExpr{Fun: ast.NewIdent("isMutant"), Args: []ast.Expr{&ast.BasicLit{Kind: token.INT, Value: strconv.Itoa(number)}}}
}

// typeOf is an expression's type as the file can name it; nil if it cannot, and of
// constants and texts.
func (g *gardener) typeOf(n *ast.BinaryExpr) ast.Expr {
	value, known := g.TypesInfo.Types[n]
	if !known || value.Value != nil || isText(value.Type) || len(operators[n.Op]) == 0 {
		return nil
	}
	nameable := true
	name := types.TypeString(value.Type, func(other *types.Package) string {
		if other == g.Types {
			return ""
		}
		imported := func(s *ast.ImportSpec) bool { return s.Path.Value == strconv.Quote(other.Path()) && s.Name == nil }
		nameable = nameable && slices.ContainsFunc(g.file.Imports, imported)
		return other.Name()
	})
	of, err := parser.ParseExpr(strings.TrimPrefix(name, "untyped "))
	if !nameable || err != nil {
		return nil
	}
	return of
}

// hasEnd reports whether something may follow a loop: behind one without an end no
// function has to return.
func hasEnd(loop ast.Node) bool {
	endless, is := loop.(*ast.ForStmt)
	return !is || endless.Cond != nil
}

func isText(t types.Type) bool {
	basic, is := t.Underlying().(*types.Basic)
	return is && basic.Info()&types.IsString != 0
}

func block(statements ...ast.Stmt) *ast.BlockStmt { return &ast.BlockStmt{List: statements} }
