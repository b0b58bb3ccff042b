package main

import (
	"flag"
	"io"
	"log"
	"os"
	"testing"
	"testing/synctest"
)

// host is the test that this program is, for want of another way into virtual time.
var host *testing.T

// asTest runs the program as a test, and ends it with the status that f returns.
func asTest(f func() int) {
	every := func(string, string) (bool, error) { return true, nil }
	testing.Init()
	flag.CommandLine.Parse(nil) // the program's own flags are not the test's
	testing.Main(every, []testing.InternalTest{{Name: "compare", F: func(t *testing.T) {
		host = t
		os.Exit(f())
	}}}, nil, nil)
}

// virtually runs f in virtual time: the clock stands still while anything runs,
// and moves on to the next timer when all wait. What f starts has to end with it.
func virtually(f func() error) (err error) {
	synctest.Test(host, func(*testing.T) { err = f() })
	return err
}

func init() {
	log.SetOutput(io.Discard) // net/http's words on connections that a scenario cuts
}
