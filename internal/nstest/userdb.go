package nstest

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// HasUserDB reports whether the C library of this machine can ask systemd's userdb, whose
// users are files, see nss-systemd(8) and systemd-userdbd.service(8): in a namespace of
// its own a test can have users that /etc/passwd lacks.
func HasUserDB() bool {
	for _, dir := range []string{"/usr/lib/*-linux-*", "/usr/lib64", "/usr/lib", "/lib64", "/lib"} {
		if found, _ := filepath.Glob(dir + "/libnss_systemd.so.2"); len(found) > 0 {
			return true
		}
	}
	return false
}

// UserDB makes /etc and /run empty, but for users and groups: of the files, and of the
// userdb, see [HasUserDB], whose files are named with their content. It needs the mount
// namespace that [Run] made.
func UserDB(t testing.TB, passwd, group string, userdb map[string]string) {
	t.Helper()
	if os.Getenv(childEnv) == "" {
		t.Fatal("UserDB: not in a private namespace")
	}
	if !HasUserDB() {
		Missing(t, "libnss_systemd.so.2 is not installed")
	}
	files := map[string]string{
		"/etc/passwd": passwd, "/etc/group": group,
		"/etc/nsswitch.conf": "passwd: files systemd\ngroup: files systemd\n",
	}
	for name, content := range userdb {
		files["/run/userdb/"+name] = content
	}
	for _, dir := range []string{"/etc", "/run"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("/run/userdb", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
