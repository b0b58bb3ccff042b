package proctest

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	Play(map[string]Role{"echo": func(args []string, in *bufio.Scanner) {
		fmt.Println(os.Getpid(), strings.Join(args, " "))
		for in.Scan() {
			fmt.Println("heard " + in.Text())
		}
	}})
	os.Exit(m.Run())
}

func TestAProcessPlaysItsRoleWithItsArgumentsAndAnswersWhatItIsTold(t *testing.T) {
	p := Start(t, "echo", "one", "two words")
	if p.Process.Pid == os.Getpid() {
		t.Error("the role is played by the test's own process, want another")
	}
	p.Expect(t, fmt.Sprint(p.Process.Pid, " one two words"))
	for _, line := range []string{"first", "second"} {
		p.Tell(t, line)
		p.Expect(t, "heard "+line)
	}
}

func TestAProcessThatWasKilledHasEndedAndAnswersNoMore(t *testing.T) {
	p := Start(t, "echo")
	p.Answer(t)
	p.Kill()
	p.Kill() // once more does nothing
	if p.ProcessState == nil || p.ProcessState.Success() {
		t.Errorf("after Kill the process is %v, want it ended by a signal", p.ProcessState)
	}
	if line, open := <-p.lines; open {
		t.Errorf("after Kill it answered %q, want nothing", line)
	}
}
