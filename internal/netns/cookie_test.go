package netns

import (
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
)

func TestCookie(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		emptyRun(t)
		here, ok := Cookie()
		if !ok {
			nstest.Missing(t, "no SO_NETNS_COOKIE: it needs Linux 5.14")
		}
		if again, _ := Cookie(); again != here || here == 0 {
			t.Errorf("the cookie is %d, then %d", here, again)
		}
		seen := map[uint64]string{here: "outside"}
		for _, name := range []string{"red", "blue"} {
			mounted(t, "/run/netns/"+name)
			h, err := Find(name)
			check(t, err)
			defer h.Close()
			check(t, h.Do(func() error {
				c, _ := Cookie()
				if other := seen[c]; other != "" {
					t.Errorf("%s and %s have the cookie %d", name, other, c)
				}
				seen[c] = name
				return nil
			}))
		}
	})
}
