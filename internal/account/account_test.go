package account_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/account"
	"github.com/tcpka/tcpka/internal/nstest"
)

const (
	passwd = "root:x:0:0:root:/root:/bin/sh\nada:x:4711:4712:Ada,,,:/home/ada:/bin/sh\nlovelace:x:4711:4713::/home/lovelace:/bin/sh\n"
	group  = "root:x:0:\nada:x:4712:\nteam:x:4713:bob,ada\nlocal:x:4714:grace\n"
)

var (
	ada      = &user.User{Username: "ada", Uid: "4711", Gid: "4712", Name: "Ada", HomeDir: "/home/ada"}
	lovelace = &user.User{Username: "lovelace", Uid: "4711", Gid: "4713", HomeDir: "/home/lovelace"}
	grace    = &user.User{Username: "grace", Uid: "5711", Gid: "5712", Name: "Grace", HomeDir: "/home/grace"}
)

// userdb is a directory service: a user and a group that the files lack, with members.
func userdb() map[string]string {
	const user = `{"userName":"grace","uid":5711,"gid":5712,"realName":"Grace","homeDirectory":"/home/grace","shell":"/bin/sh","disposition":"regular"}`
	const crew = `{"groupName":"crew","gid":5713,"disposition":"regular"}`
	return map[string]string{
		"grace.user": user, "5711.user": user, "crew.group": crew, "5713.group": crew,
		"grace:crew.membership": "{}", "ada:crew.membership": "{}",
	}
}

func TestUsersOfFilesAndOfADirectory(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		nstest.UserDB(t, passwd, group, userdb())
		none := uint32(math.MaxUint32)
		for _, row := range []struct {
			name string
			get  func() (*user.User, error)
			want *user.User
			err  error
		}{
			{"a number in /etc/passwd", func() (*user.User, error) { return account.ByID(4711) }, ada, nil},
			{"one of two with the number", func() (*user.User, error) { return account.Named(4711, "lovelace") }, lovelace, nil},
			{"a number, with a name of another", func() (*user.User, error) { return account.Named(4711, "grace") }, ada, nil},
			{"a number, with a name of nobody", func() (*user.User, error) { return account.Named(5711, "eve") }, grace, nil},
			{"a name in /etc/passwd", func() (*user.User, error) { return account.ByName("ada") }, ada, nil},
			{"a number in the directory", func() (*user.User, error) { return account.ByID(5711) }, grace, nil},
			{"a name in the directory", func() (*user.User, error) { return account.ByName("grace") }, grace, nil},
			{"a number of nobody", func() (*user.User, error) { return account.ByID(5799) }, nil, user.UnknownUserIdError(5799)},
			{"the number that is none", func() (*user.User, error) { return account.ByID(none) }, nil, user.UnknownUserIdError(none)},
			{"a name of nobody", func() (*user.User, error) { return account.ByName("eve") }, nil, user.UnknownUserError("eve")},
			{"an option of getent", func() (*user.User, error) { return account.ByName("--help") }, nil, user.UnknownUserError("--help")},
			{"no name", func() (*user.User, error) { return account.ByName("") }, nil, user.UnknownUserError("")},
		} {
			got, err := row.get()
			if diff := cmp.Diff(row.want, got); diff != "" || !errors.Is(err, row.err) {
				t.Errorf("%s: error %v, want %v (-want +got)\n%s", row.name, err, row.err, diff)
			}
		}
		if err := os.Remove("/etc/passwd"); err != nil {
			t.Fatal(err)
		}
		if got, err := account.ByID(5711); err != nil || cmp.Diff(grace, got) != "" {
			t.Errorf("without /etc/passwd: %+v, %v", got, err)
		}
		if _, err := account.ByID(4711); !errors.Is(err, user.UnknownUserIdError(4711)) {
			t.Errorf("a number of nobody, without /etc/passwd: %v", err)
		}
		// getent takes it for a number, and it is nobody's name.
		if got, err := account.ByName("5711"); err == nil {
			t.Errorf("a number for a name: %+v", got)
		}
	})
}

func TestGroupsOfFilesAndOfADirectory(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		nstest.UserDB(t, passwd, group, userdb())
		credential(t, "a user of the files is in a group of the directory", ada, 4711, 4712, 4713, 5713)
		credential(t, "a user of the directory is in a group of the files", grace, 5711, 5712, 4714, 5713)

		other := *ada
		other.Uid = "4799"
		if got, err := account.Credential(&other); err == nil {
			t.Errorf("a name that is somebody else's: %+v", got)
		}
		if got, err := account.Credential(&user.User{Username: "eve", Uid: "4798", Gid: "4798"}); err == nil {
			t.Errorf("nobody: %+v", got)
		}
		for _, none := range []string{"", "-1", "4294967295", "4294967296", "x", "+4711", "4711 "} {
			for _, who := range []*user.User{{Username: "ada", Uid: none, Gid: "4712"}, {Username: "ada", Uid: "4711", Gid: none}} {
				if got, err := account.Credential(who); err == nil {
					t.Errorf("%+v: %+v", who, got)
				}
			}
		}
	})
}

func TestGroupsWithoutFileOfGroups(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		nstest.UserDB(t, passwd, group, nil)
		if err := os.Remove("/etc/group"); err != nil {
			t.Fatal(err)
		}
		credential(t, "without /etc/group", ada, 4711, 4712)
	})
}

func credential(t *testing.T, name string, who *user.User, uid, gid uint32, others ...uint32) {
	t.Helper()
	got, err := account.Credential(who)
	want := &syscall.Credential{Uid: uid, Gid: gid, Groups: append([]uint32{gid}, others...)}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
	}
}

func ExampleParseID() {
	for _, text := range []string{"1000", "4294967295"} {
		id, err := account.ParseID(text)
		fmt.Println(id, err)
	}
	// Output:
	// 1000 <nil>
	// 0 "4294967295" is no user or group number
}
