package target

import (
	"fmt"
	"os"

	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/netns"
)

// FindAgain finds a recorded namespace. Its inode number may have been given to
// another one since; its cookie cannot. Of processes it also looks into their sockets.
func FindAgain(n journal.Netns, pids ...int) (*netns.Handle, error) {
	current, err := netns.Current()
	if err != nil {
		return nil, err
	}
	candidates := []Namespace{{Namespace: current}}
	if current.Inode != n.Inode {
		if candidates, err = everyNamespace(pids); err != nil {
			return nil, err
		}
	}
	for _, ns := range candidates {
		if ns.Inode != n.Inode {
			continue
		}
		h, err := ns.Open()
		if err != nil {
			return nil, err
		}
		var cookie uint64
		if err := h.Do(func() error { cookie, _ = netns.Cookie(); return nil }); err != nil {
			h.Close()
			return nil, err
		}
		if cookie == n.Cookie {
			return h, nil
		}
		h.Close()
	}
	return nil, fmt.Errorf("namespace %s: %w", n.Name, os.ErrNotExist)
}
