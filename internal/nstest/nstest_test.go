package nstest

import (
	"fmt"
	"os"
	"testing"
)

func TestRunGivesPrivateNamespaces(t *testing.T) {
	Run(t, func(t *testing.T) {
		inside, err := os.Stat("/proc/self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		outside, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", os.Getppid()))
		if err == nil && os.SameFile(inside, outside) {
			t.Fatal("still in the network namespace outside")
		}
		Sysctl(t, "net.ipv4.tcp_keepalive_time", "4321")
		if b, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_keepalive_time"); string(b) != "4321\n" {
			t.Errorf("tcp_keepalive_time is %q after writing 4321", b)
		}
	})
	if os.Getenv(childEnv) != "" {
		return
	}
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
