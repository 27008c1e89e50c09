package nstest

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Seclude leaves everything behind that is mounted below /run, which is where others
// keep their network namespaces (ip netns, Docker, Podman), and makes /run empty. It
// is for the mount namespace that [Run] made: there a mount that was taken over from
// outside is locked to the ones around it and cannot be unmounted, see
// mount_namespaces(7). So the namespace gets another root, with all the rest in it,
// and the old one goes with what is locked to it, as in pivot_root(2).
func Seclude() error {
	const root = "/run"
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount another root: %w", err)
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := bring(root, e); err != nil {
			return err
		}
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil { // the old one lies over the new
		return fmt.Errorf("unmount the old root: %w", err)
	}
	return os.Chdir(dir)
}

// bring makes an entry of the root one of the other root, too.
func bring(root string, e os.DirEntry) error {
	from, to := filepath.Join("/", e.Name()), filepath.Join(root, e.Name())
	switch {
	case e.Type()&os.ModeSymlink != 0: // /bin is usr/bin
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case !e.IsDir():
		return nil
	}
	if err := os.Mkdir(to, 0o755); err != nil || from == root {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s: %w", from, err)
	}
	return nil
}
