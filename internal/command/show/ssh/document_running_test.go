package ssh

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
)

// sshd keeps its time to the second, where ssh is up to one early.
func TestSSHIsNoticedAtOneTime(t *testing.T) {
	side := NewSide(calc.SSH{Side: calc.SSHServer, Interval: answertest.S(9), CountMax: 3, TCPKeepAlive: true}, "")
	var b bytes.Buffer
	if err := answer.Table(&b, Document{Server: &side}, answer.Style{Width: 80}); err != nil {
		t.Fatal(err)
	}
	if want := "\nA dead client is noticed 36 s after it was last heard.\n"; !strings.Contains(b.String(), want) {
		t.Errorf("got %s\nwant %s", b.String(), want)
	}
}
