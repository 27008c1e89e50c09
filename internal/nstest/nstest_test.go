package nstest

import (
	"os"
	"testing"
)

func TestRunGivesPrivateNamespaces(t *testing.T) {
	outside, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("OUTSIDE", outside)
	Run(t, func(t *testing.T) {
		inside, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		if inside == os.Getenv("OUTSIDE") {
			t.Errorf("still in %s", inside)
		}
		Sysctl(t, "net.ipv4.tcp_keepalive_time", "4321")
		if b, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_keepalive_time"); string(b) != "4321\n" {
			t.Errorf("tcp_keepalive_time is %q after writing 4321", b)
		}
	})
	if b, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_keepalive_time"); string(b) == "4321\n" {
		t.Error("the write reached the namespace outside")
	}
}

func TestRootKeepsRealRoot(t *testing.T) {
	RunRoot(t, func(t *testing.T) {
		if !initialUserNamespace() {
			t.Error("not in the initial user namespace")
		}
	})
}
