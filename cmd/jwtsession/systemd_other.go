//go:build !linux

package main

// tellSystemd has nobody to tell: systemd is Linux's.
func tellSystemd(string) {}
