package sockets

import "github.com/tcpka/tcpka/sockets/bpf"

// AsBeforeLinux617 makes lists by BPF do what they do where the kernel's walk may
// leave sockets out.
func AsBeforeLinux617() (*Shared, error) {
	it, err := bpf.Load((&Filter{States: AllStates}).query(), bpf.Auto)
	if err != nil {
		return nil, err
	}
	it.Once = false
	return &Shared{iterators: it}, nil
}

var Cgroup2Mount = cgroup2Mount
