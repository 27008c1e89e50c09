package procfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tcpka/tcpka/internal/rootfs"
)

// image makes a root directory with the files given, by their path inside it.
// A content that begins with "->" is the target of a symbolic link.
func image(t *testing.T, files map[string]string) (FS, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if len(content) > 2 && content[:2] == "->" {
			err = os.Symlink(content[2:], path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return New(root), dir
}

const ipv4 = "proc/sys/net/ipv4/"

// three are the files of the keepalive sysctls, with the values given.
func three(time, intvl, probes string) map[string]string {
	return map[string]string{
		ipv4 + "tcp_keepalive_time":   time,
		ipv4 + "tcp_keepalive_intvl":  intvl,
		ipv4 + "tcp_keepalive_probes": probes,
	}
}
