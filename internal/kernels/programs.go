package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// lent are programs that tests start or compare with. Those that this machine has
// are in the guest, too, each where it is here; a test that wants one of the
// others is skipped there.
var lent = []string{
	"bash", "dash", "dbclient", "dropbearconvert", "ip", "ipvsadm", "nc", "nft", "plink", "puttygen", "redis-cli",
	"redis-server", "ss", "ssh", "ssh-keygen", "sshd", "strace", "sysctl", "systemd-sysctl",
}

// searchPath is where programs are looked for, here and in the guest.
const searchPath = "/usr/sbin:/usr/bin:/sbin:/bin"

// libexec is where the one lies that nobody starts by hand.
const libexec = "/usr/lib/systemd:/lib/systemd"

// applets are what busybox serves for.
const applets = "[ basename cat chmod chown cp cut date dirname echo env expr false find grep head id kill " +
	"ln ls mkdir mkfifo mknod mount mv od printf ps pwd readlink realpath rm rmdir sed seq sh sleep sort stat " +
	"stty tail tee test timeout touch tr true truncate umount uname uniq wc yes"

// programs adds a static busybox, and what this machine lends.
func (r *run) programs(a *archive) error {
	found, err := versions([]string{"busybox-static"})
	if err != nil {
		return err
	}
	dir, err := r.unpacked(found[0].name, found[0].version)
	if err != nil {
		return err
	}
	busybox, err := one(dir, "bin/busybox")
	if err != nil {
		return err
	}
	a.copy("bin/busybox", busybox, 0o755)
	placed := map[string]bool{}
	for _, name := range lent {
		path := lookUp(name)
		if path == "" {
			continue
		}
		files, err := withLibraries(path)
		if err != nil {
			return err
		}
		for _, f := range files {
			if !placed[f] {
				placed[f] = true
				a.copy(strings.TrimPrefix(f, "/"), f, 0o755)
			}
		}
		if name == "dash" { // busybox's is one only by that name
			a.link("bin/sh", path)
			placed["/bin/sh"] = true
		}
	}
	for _, name := range strings.Fields(applets) {
		if !placed["/bin/"+name] {
			a.link("bin/"+name, "busybox")
		}
	}
	return nil
}

// lookUp is where a program lies, or "".
func lookUp(name string) string {
	for _, dir := range filepath.SplitList(searchPath + ":" + libexec) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// withLibraries is a program and the libraries that the loader finds for it, the
// loader included. See ldd(1).
func withLibraries(path string) ([]string, error) {
	files := []string{path}
	out, err := command("ldd", path)
	if _, static := errors.AsType[*exec.ExitError](err); static {
		return files, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(out)) {
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "/") {
				files = append(files, word)
			}
		}
	}
	return files, nil
}
