module github.com/tcpka/tcpka

go 1.26.0

require (
	github.com/cilium/ebpf v0.22.0 // loads and attaches BPF programs; bpf2go compiles them
	github.com/google/go-cmp v0.7.0 // tests: differences of whole values
	github.com/google/renameio/v2 v2.0.2 // replaces a file whole or not at all
	github.com/olekukonko/tablewriter v0.0.5 // small tables, with the width of every character; v1 fills a cache at every start, a millisecond
	github.com/rogpeppe/go-internal v1.16.0 // how a file of ssh differs; tests: scripts of whole commands
	github.com/urfave/cli/v2 v2.27.7 // commands, flags and help
	github.com/xhit/go-str2duration/v2 v2.2.0 // durations with days, as people write them
	golang.org/x/sys v0.49.0 // the kernel's interfaces
	golang.org/x/term v0.47.0 // is it a terminal, and how wide
)

require (
	github.com/clipperhouse/uax29/v2 v2.6.0 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.7 // indirect
	github.com/mattn/go-runewidth v0.0.19 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/xrash/smetrics v0.0.0-20240521201337-686a1a2994c1 // indirect
	golang.org/x/tools v0.40.1-0.20260108161641-ca281cf95054 // indirect
)

tool github.com/cilium/ebpf/cmd/bpf2go
