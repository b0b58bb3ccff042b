package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/spf13/cobra"
)

// newLogger returns the log of what happens to sessions.
func newLogger(out io.Writer, format string) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(out, nil))
	}
	return slog.New(slog.NewTextHandler(out, nil))
}

// loggerOf is the log of what happens to one account, which has a name where there
// are several.
func loggerOf(log *slog.Logger, name string) *slog.Logger {
	if name == "" {
		return log
	}
	return log.With("profile", name)
}

// linesTo has each line written be a record of a log.
func linesTo(log *slog.Logger) io.Writer {
	return slog.NewLogLogger(log.Handler(), slog.LevelInfo).Writer()
}

// narrator is what an account's session calls are told to, if to anybody; nil is
// standard error as it is.
func (o proxyOptions) narrator(name string) io.Writer {
	if o.logFormat != "json" {
		return nil
	}
	return linesTo(loggerOf(o.Logger, name))
}

// greeted is told where the proxy is. Where standard output is a log, and where
// standard error is one, nothing stands between the lines.
func (o proxyOptions) greeted(cmd *cobra.Command, log *accessLog) io.Writer {
	switch {
	case !log.isIn(cmd.OutOrStdout()):
		return cmd.OutOrStdout()
	case o.logFormat == "json":
		return linesTo(o.Logger)
	}
	return cmd.ErrOrStderr()
}

// accessLog is a file that lines are appended to, and that can be opened again
// once it has been moved. It is safe for concurrent use. Nil is none.
type accessLog struct {
	name string // empty: it is standard output

	mu  sync.Mutex
	out io.Writer
}

// openAccessLog opens the file of --access-log. Who reads it may be no more than
// its owner: it tells what everybody asks for.
func openAccessLog(name string, stdout io.Writer) (*accessLog, error) {
	switch name {
	case "":
		return nil, nil
	case "-":
		return &accessLog{out: stdout}, nil
	}
	l := &accessLog{name: name}
	return l, l.reopen()
}

func (l *accessLog) reopen() error {
	if l == nil || l.name == "" {
		return nil
	}
	file, err := os.OpenFile(l.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return &localError{fmt.Errorf("open the access log (--access-log): %w", err)}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if present, isOpen := l.out.(io.Closer); isOpen {
		present.Close()
	}
	l.out = file
	return nil
}

// isIn reports whether the lines go to out, by whatever name: /dev/stdout is the same.
func (l *accessLog) isIn(out io.Writer) bool {
	if l == nil || l.name == "" {
		return l != nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var files [2]os.FileInfo
	for i, w := range []io.Writer{l.out, out} {
		file := fileOf(w)
		if file == nil {
			return false
		}
		var err error
		if files[i], err = file.Stat(); err != nil {
			return false
		}
	}
	return os.SameFile(files[0], files[1])
}

// Write appends a line.
func (l *accessLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(line)
}

// Close closes the file.
func (l *accessLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if file, isOpen := l.out.(io.Closer); isOpen && l.name != "" {
		return file.Close()
	}
	return nil
}
