// Command tcpka inspects, explains and tunes TCP keepalive on Linux.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
