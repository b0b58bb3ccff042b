// Peers plays what goes wrong in a program's life with this library and with
// those that people use for the same job, and prints a table of what came of it.
// Every figure is what a server in this process has counted, or a clock measured,
// in this run. It exits with status 1 if our column is not as it should be.
//
//	go run ./peers
package main

import (
	"cmp"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/jwtsession/jwtsession/sessiontest"
)

func main() {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, c := range contenders {
		fmt.Fprint(table, "\t", c.name)
	}
	fmt.Fprintln(table)
	failed := 0
	for _, s := range scenarios {
		fmt.Fprint(table, s.what)
		for i, c := range contenders {
			outcome := perform(s, c.open)
			if i == 0 && outcome != s.want {
				failed++
			}
			fmt.Fprint(table, "\t", outcome)
		}
		fmt.Fprintln(table)
	}
	table.Flush()
	fmt.Println()
	fmt.Println("–: the library has nothing of the kind. All caches have their defaults, but for")
	fmt.Println("jwtsession's Timeout: within", patience, "it has time for one attempt, as the others have;")
	fmt.Println("by default its one sign-in goes on for 30 s, for all callers together.")
	if failed > 0 {
		fmt.Fprintf(os.Stderr, "\npeers: %d lines of the first column are not as they should be\n", failed)
		os.Exit(1)
	}
}

// perform plays a scenario with one contender, at a server of their own.
func perform(s scenario, open func(api) (*contender, error)) string {
	box := sessiontest.NewServer(sessiontest.WithTokenLife(cmp.Or(s.life, hour)))
	defer box.Close()
	c, err := open(api{url: box.URL, password: cmp.Or(s.password, sessiontest.Password), client: box.Client()})
	if err != nil {
		return "error: " + err.Error()
	}
	defer c.close()
	outcome, err := s.play(c, box)
	if err != nil {
		return "error: " + err.Error()
	}
	return outcome
}
