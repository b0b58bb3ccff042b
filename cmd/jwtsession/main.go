// Command jwtsession signs in to APIs that trade an e-mail address and a password
// for a JWT. Its help lists what it can do.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
