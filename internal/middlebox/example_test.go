package middlebox_test

import (
	"errors"
	"fmt"

	"github.com/tcpka/tcpka/internal/middlebox"
)

func ExampleLookup() {
	for _, name := range []string{"aws-nlb", "aws-alb", "cisco-assa"} {
		b, err := middlebox.Lookup(name)
		if unknown, ok := errors.AsType[*middlebox.UnknownError](err); ok {
			fmt.Printf("%v; like it: %s\n", err, unknown.Near[0])
			continue
		}
		fmt.Printf("%s: %v, TCP keepalive helps: %v\n", b.Title, b.Idle, b.Refreshes())
	}
	// Output:
	// AWS Network Load Balancer, TCP listener: 5m50s, TCP keepalive helps: true
	// AWS Application Load Balancer: 1m0s, TCP keepalive helps: false
	// no middlebox is called "cisco-assa"; like it: cisco-asa
}
