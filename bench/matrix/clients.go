package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

//go:embed clients
var scripts embed.FS

// client is a program that sends two POSTs to a URL, over one connection if it can,
// and returns a line for each: the status and the body of the answer, or "error"
// and what went wrong.
type client struct {
	name    string
	program string // that must be installed; empty: none
	send    func(ctx context.Context, directory, url string, r request) (lines []string, err error)
}

var clients = []client{
	{"node fetch", "node", script("node", "client.mjs")},
	{"python http.client", "python3", script("python3", "client.py")},
	{"curl", "curl", sendWithCurl},
	{"Go net/http", "", sendWithGo},
	{"Ruby Net::HTTP", "ruby", script("ruby", "client.rb")},
}

// script is a client that is a program in another language.
func script(program, name string) func(context.Context, string, string, request) ([]string, error) {
	return func(ctx context.Context, directory, url string, r request) ([]string, error) {
		content, err := scripts.ReadFile("clients/" + name)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(directory, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return nil, err
		}
		return linesOf(exec.CommandContext(ctx, program, file, url, strconv.Itoa(r.size), r.encoding))
	}
}

func linesOf(cmd *exec.Cmd) ([]string, error) {
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Split(string(output), "\n"), func(line string) bool { return line == "" }), nil
}

func sendWithCurl(ctx context.Context, directory, url string, r request) ([]string, error) {
	file := filepath.Join(directory, fmt.Sprintf("body-%d", r.size))
	if _, err := os.Stat(file); err != nil {
		if err := os.WriteFile(file, r.body(), 0o600); err != nil {
			return nil, err
		}
	}
	one := []string{"--silent", "--show-error", "--max-time", "60", "--write-out", " %{http_code} %{errormsg}\n", "--data-binary", "@" + file, "--header", "Content-Type: application/octet-stream"}
	if r.encoding == "chunked" {
		one = append(one, "--header", "Transfer-Encoding: chunked")
	}
	one = append(one, url)
	args := append(append(append([]string{}, one...), "--next"), one...)
	cmd := exec.CommandContext(ctx, "curl", args...)
	output, _ := cmd.Output() // a transfer that failed is told in its line
	var lines []string
	for line := range strings.Lines(string(output)) {
		// The body of an answer has a line's end of its own, or none.
		line = strings.TrimRight(line, "\n")
		i := strings.LastIndex(line, " 000 ")
		switch {
		case i >= 0:
			lines = append(lines, "error "+line[i+5:])
		default:
			lines = append(lines, line)
		}
	}
	return curlAnswers(lines), nil
}

// curlAnswers puts the status, which curl writes last, before the body.
func curlAnswers(lines []string) []string {
	var answers []string
	body := ""
	for _, line := range lines {
		fields := strings.Fields(line)
		if n := len(fields); n > 0 && !strings.HasPrefix(line, "error ") {
			// "BODY STATUS", or "STATUS" after a body that ended with its line.
			if status := fields[n-1]; len(status) == 3 && strings.Trim(status, "0123456789") == "" {
				before := strings.TrimSpace(strings.TrimSuffix(strings.TrimRight(line, " "), status))
				answers = append(answers, strings.TrimSpace(status+" "+body+before))
				body = ""
				continue
			}
			body += line
			continue
		}
		answers = append(answers, line)
	}
	return answers
}

func sendWithGo(ctx context.Context, _, url string, r request) (lines []string, err error) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for range 2 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(string(r.body())))
		if err != nil {
			return nil, err
		}
		req.GetBody = nil // so that a request that fails is not sent again unseen
		if r.encoding == "chunked" {
			req.ContentLength = -1
		}
		lines = append(lines, sendOne(transport, req))
	}
	return lines, nil
}

func sendOne(transport http.RoundTripper, req *http.Request) string {
	res, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Sprint("error ", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Sprint("error ", err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(text)))
}
