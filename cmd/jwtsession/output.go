package main

import (
	"errors"
	"io"
	"os"
	"sync"
)

// output is what a command writes to. It remembers what could not be written: not
// all who write look, and a script must not take a part for the whole.
type output struct {
	io.Writer

	mu   sync.Mutex // guards lost: serve writes for many calls at once
	lost error      // the first one; nil: none
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost == nil {
		o.lost = err
	}
	return n, err
}

// judged is the error of the command whose output it is: that of a write, if there
// was no other one.
func (o *output) judged(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost != nil && (err == nil || errors.Is(err, o.lost)) {
		return &localError{o.lost}
	}
	return err
}

// fileOf is the file behind an output; nil: it is none.
func fileOf(out io.Writer) *os.File {
	if o, isOurs := out.(*output); isOurs {
		out = o.Writer
	}
	file, _ := out.(*os.File)
	return file
}
