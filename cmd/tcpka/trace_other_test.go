//go:build linux && !amd64 && !arm64

package main

// steppedMain is for the tests that stop tcpka at each step: elsewhere there are none.
func steppedMain() { panic("no test stops it") }
