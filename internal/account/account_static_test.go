//go:build !cgo

package account_test

import (
	"errors"
	"os"
	"os/user"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/account"
	"github.com/tcpka/tcpka/internal/nstest"
)

// Where neither program is there the files are all that the static binary has. With cgo
// os/user asks the C library then.

// Where there is no id(1), as in an image with nothing but programs of its own, the files
// are what there is.
func TestGroupsWithoutPrograms(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		nstest.UserDB(t, passwd, group, userdb())
		cover(t, "/usr/bin")
		cover(t, "/bin")
		credential(t, "with /etc/group", ada, 4711, 4712, 4713)
		if _, err := account.ByID(5711); !errors.Is(err, user.UnknownUserIdError(5711)) {
			t.Errorf("a user of the directory: %v", err)
		}
		if err := os.Remove("/etc/group"); err != nil {
			t.Fatal(err)
		}
		credential(t, "without /etc/group", ada, 4711, 4712)
		if err := os.WriteFile("/etc/group", []byte("team:x:4294967295:ada\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := account.Credential(ada); err == nil {
			t.Errorf("a group that is none: %+v", got)
		}
	})
}

// Current goes by who this process is, and not by its environment.
func TestCurrent(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		nstest.UserDB(t, "nobody:x:65534:65534::/:/bin/sh\n", "", nil)
		t.Setenv("USER", "eve")
		t.Setenv("HOME", "/home/eve")
		got, err := account.Current()
		if err != nil || got.Uid != "0" || got.Username != "root" || got.HomeDir != "/root" { // nss-systemd(8) knows him always
			t.Errorf("%+v, %v", got, err)
		}
		cover(t, "/usr/bin")
		cover(t, "/bin")
		for _, look := range []func() (*user.User, error){
			func() (*user.User, error) { return account.ByID(0) },
			func() (*user.User, error) { return account.ByName("eve") },
		} {
			if got, err := look(); err == nil {
				t.Errorf("of the environment: %+v", got)
			}
		}
		if got, err := account.Current(); err != nil || got.Username != "eve" || got.HomeDir != "/home/eve" {
			t.Errorf("whom nobody knows: %+v, %v", got, err)
		}
	})
}

// cover makes a directory empty.
func cover(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
}
