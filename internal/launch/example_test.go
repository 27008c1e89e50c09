package launch_test

import (
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/tcpka/tcpka/internal/launch"
	"github.com/tcpka/tcpka/keepalive"
)

// A server whose connections are probed after a minute, whatever it sets itself.
func Example() {
	g, err := launch.New(keepalive.Change{Time: new(time.Minute)}, true)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer g.Close()
	cmd := exec.Command("server", "-listen", ":8080")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := g.Start(cmd); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(cmd.Wait())
}
