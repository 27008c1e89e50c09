package sockets_test

import (
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// Every connection of the local PostgreSQL gets keepalive with ten minutes, spread
// over one more, and goes on.
func ExampleRetune() {
	sysctl := keepalive.Defaults() // or what procfs reads
	var targets []sockets.Target
	query := sockets.Query{Sysctl: sysctl, Filter: sockets.Filter{Ports: []uint16{5432}}}
	_, err := sockets.List(query, func(s *sockets.Socket) error {
		idle := 10*time.Minute + time.Duration(len(targets)%60)*time.Second
		targets = append(targets, sockets.Target{
			Cookie: s.Cookie, Inode: s.Inode, Owners: slices.Clone(s.Owners),
			Change: keepalive.Change{Enabled: new(true), Time: &idle},
		})
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	report, err := sockets.Retune(sockets.RetuneQuery{Sysctl: sysctl}, targets, func(o *sockets.Outcome) error {
		if o.Result == sockets.Failed {
			log.Printf("socket %#x: %v", o.Target.Cookie, o.Err)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Done, "connections, and", report.Gone, "that had ended")
}
