// Command matrix sends requests through the proxy with clients of many kinds,
// while the API is in many states, and prints as a table what became of them.
//
//	cd bench && go run ./matrix             all
//	cd bench && go run ./matrix -reduced    what CI runs
//
// Each cell is two POSTs over one connection: a first one, and one over a
// connection that is kept, if the first left it so. The proxy is the built
// command. It fails if a client is reset, if the proxy panics, or if an answer is
// not the one that is due.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jwtsession/jwtsession/bench/command"
)

func main() {
	reduced := flag.Bool("reduced", false, "leave out 50 MB, but for the early answer")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rows, err := run(ctx, *reduced)
	print(os.Stdout, rows)
	if err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

// request is what a client is to send, twice.
type request struct {
	size     int
	encoding string // length or chunked
}

func (r request) body() []byte { return []byte(strings.Repeat("x", r.size)) }

func (r request) String() string {
	return fmt.Sprintf("%s %s", map[int]string{10: "10 B", 2e6: "2 MB", 50e6: "50 MB"}[r.size], r.encoding)
}

// requests are those of all states.
func requests(reduced bool, st state) []request {
	var all []request
	for _, size := range []int{10, 2e6, 50e6} {
		if reduced && size == 50e6 && st.name != "early 413" {
			continue
		}
		for _, encoding := range []string{"length", "chunked"} {
			all = append(all, request{size, encoding})
		}
	}
	return all
}

// cell is what became of one client's requests.
type cell struct {
	first, kept string // "": as it should be; else what came
	want        string
	seconds     float64
}

// row is one state and one request, with a cell for each client.
type row struct {
	state   state
	request request
	cells   []cell
	panics  int
}

// run makes the whole table. The error tells of the first cells that are not as
// they should be.
func run(ctx context.Context, reduced bool) (rows []row, err error) {
	directory, err := os.MkdirTemp("", "jwtsession-matrix-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(directory)
	for _, c := range clients {
		if c.program == "" {
			continue
		}
		if _, err := exec.LookPath(c.program); err != nil {
			return nil, fmt.Errorf("%s is not installed: %w", c.program, err)
		}
	}
	binary, err := command.Build(ctx, directory)
	if err != nil {
		return nil, err
	}
	var failed []string
	for _, st := range states {
		for _, r := range requests(reduced, st) {
			row := row{state: st, request: r}
			for _, c := range clients {
				cell, panics, err := try(ctx, binary, directory, st, r, c)
				if err != nil {
					return rows, fmt.Errorf("%s, %v, %s: %w", st.name, r, c.name, err)
				}
				row.cells = append(row.cells, cell)
				row.panics += panics
				for _, got := range []string{cell.first, cell.kept} {
					if got != "" {
						failed = append(failed, fmt.Sprintf("%s, %v, %s: got %.200q, want %q", st.name, r, c.name, got, cell.want))
					}
				}
			}
			if row.panics > 0 {
				failed = append(failed, fmt.Sprintf("%s, %v: the proxy panicked %d times", st.name, r, row.panics))
			}
			rows = append(rows, row)
		}
	}
	if len(failed) > 0 {
		return rows, errors.New(strings.Join(failed, "\n  "))
	}
	return rows, nil
}

// try makes one cell.
func try(ctx context.Context, binary, directory string, st state, r request, c client) (cell, int, error) {
	s, err := newStage(ctx, binary, directory, st)
	defer s.close()
	if err != nil {
		return cell{}, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	begin := time.Now()
	lines, err := c.send(ctx, directory, s.url+"/runs", r)
	if err != nil {
		return cell{}, 0, err
	}
	if len(lines) != 2 {
		return cell{}, 0, fmt.Errorf("it printed %q, want a line for each of two requests", lines)
	}
	made := cell{want: st.want(r), seconds: time.Since(begin).Seconds()}
	if !isAnswer(lines[0], made.want) {
		made.first = lines[0]
	}
	if !isAnswer(lines[1], made.want) && (st.next == "" || !isRefusal(lines[1])) {
		made.kept = lines[1]
	}
	return made, s.panics(), nil
}

// isAnswer reports whether a client's line is the answer that is due: a status, and
// where there is one the code of a failure.
func isAnswer(line, want string) bool {
	status, code, _ := strings.Cut(want, " ")
	return strings.HasPrefix(line, status+" ") && (code == "" || strings.Contains(line, `"code":"`+code+`"`))
}

// isRefusal reports whether the client found nobody listening, as it should once a
// proxy has stopped.
func isRefusal(line string) bool {
	line = strings.ToLower(line)
	return strings.HasPrefix(line, "error") && (strings.Contains(line, "refused") || strings.Contains(line, "failed to connect") || strings.Contains(line, "couldn't connect"))
}

func print(out io.Writer, rows []row) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "state\trequest\tdue")
	for _, c := range clients {
		fmt.Fprintf(w, "\t%s", c.name)
	}
	fmt.Fprintln(w, "\tpanics")
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t%v\t%s", row.state.name, row.request, row.state.want(row.request))
		for _, cell := range row.cells {
			fmt.Fprintf(w, "\t%s %s", word(cell.first), word(cell.kept))
		}
		fmt.Fprintf(w, "\t%d\n", row.panics)
	}
	w.Flush()
}

// word is what the table has for an answer.
func word(got string) string {
	if got == "" {
		return "ok"
	}
	return fmt.Sprintf("%.12q", got)
}
