package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jwtsession/jwtsession/sessiontest"
)

// injection is one --fault: how calls of an operation go wrong, and how many.
type injection struct {
	op    sessiontest.Op
	calls int // below zero: all
	fault sessiontest.Fault
}

// faultList is the value of --fault, which may be repeated.
type faultList []injection

func (l *faultList) String() string { return "" }

func (l *faultList) Type() string { return "operation:fault[:calls]" }

// Set adds the fault that the text describes.
func (l *faultList) Set(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return fmt.Errorf("it reads OPERATION:FAULT[:CALLS], as in refresh:503:3")
	}
	i := injection{op: sessiontest.Op(parts[0]), calls: 1}
	known := []sessiontest.Op{sessiontest.OpCreate, sessiontest.OpRefresh, sessiontest.OpRevoke, sessiontest.OpSession, sessiontest.OpResource}
	if !slices.Contains(known, i.op) {
		return fmt.Errorf("%q is no operation: choose one of create, refresh, revoke, session, resource", parts[0])
	}
	for word := range strings.SplitSeq(parts[1], ",") {
		if err := addToFault(&i.fault, word); err != nil {
			return err
		}
	}
	if len(parts) == 3 {
		calls, err := strconv.Atoi(parts[2])
		switch {
		case parts[2] == "all":
			calls = -1
		case err != nil || calls < 1:
			return fmt.Errorf("%q is no number of calls: give 1 or more, or all", parts[2])
		}
		i.calls = calls
	}
	*l = append(*l, i)
	return nil
}

// addToFault reads one part of a fault.
func addToFault(f *sessiontest.Fault, word string) error {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "hang":
		f.Hang = true
	case "drop":
		f.Drop = true
	case "truncate":
		f.Truncate = true
	case "garbage":
		f.Body, f.ContentType = "<html>This is no JSON.</html>", "text/html"
	case "expired":
		f.Expired = true
	case "same-expiry":
		f.SameExpiry = true
	case "retry-after":
		seconds, err := strconv.Atoi(value)
		if err != nil || seconds < 0 {
			return fmt.Errorf("%q: retry-after takes whole seconds, as in retry-after=2", word)
		}
		f.RetryAfter = strconv.Itoa(seconds)
		return nil
	case "delay":
		delay, err := time.ParseDuration(value)
		if err != nil || delay < 0 {
			return fmt.Errorf("%q: delay takes a duration, as in delay=500ms", word)
		}
		f.Delay = delay
		return nil
	default:
		status, err := strconv.Atoi(word)
		if err != nil || status < 200 || status > 599 {
			return fmt.Errorf("%q is no fault: give a status from 200 to 599, retry-after=SECONDS, delay=DURATION, hang, drop, truncate, garbage, expired or same-expiry", word)
		}
		f.Status = status
		return nil
	}
	if value != "" {
		return fmt.Errorf("%q: %s takes no value", word, name)
	}
	return nil
}
