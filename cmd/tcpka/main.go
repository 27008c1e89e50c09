// Command tcpka inspects, explains and tunes TCP keepalive on Linux.
package main

import "os"

func main() {
	growStack(len(os.Args) == 0)
	os.Exit(execute(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// growStack has the stack grow once, while it is nearly empty. Else the runtime
// would copy it four times from the depths of a command, and for each function on
// it look up what it knows of that function all over the executable: half a
// megabyte of tables that nothing else reads. Source: runtime/stack.go, newstack.
//
//go:noinline
func growStack(use bool) {
	if use { // never: it is the size of the frame that counts
		var frame [48 << 10]byte
		os.Stdin.Read(frame[:])
	}
}
