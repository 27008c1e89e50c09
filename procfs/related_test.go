package procfs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/nstest"
)

// defaults is what a kernel of today starts with.
func defaults() Related {
	return Related{
		Retries2:          15,
		RTOMax:            2 * time.Minute,
		SynRetries:        6,
		SynLinearTimeouts: 4,
		SynackRetries:     5,
		OrphanRetries:     0,
	}
}

func TestRelatedOfAnImage(t *testing.T) {
	older := defaults()
	older.SynLinearTimeouts = 0
	older.Assumed = []string{"net.ipv4.tcp_rto_max_ms", "net.ipv4.tcp_syn_linear_timeouts"}

	unknown := defaults()
	unknown.Assumed = []string{
		"net.ipv4.tcp_orphan_retries",
		"net.ipv4.tcp_retries2",
		"net.ipv4.tcp_rto_max_ms",
		"net.ipv4.tcp_syn_linear_timeouts",
		"net.ipv4.tcp_syn_retries",
		"net.ipv4.tcp_synack_retries",
	}

	tests := []struct {
		name  string
		files map[string]string
		want  Related
	}{
		{"all there", map[string]string{
			ipv4 + "tcp_retries2": "8\n", ipv4 + "tcp_rto_max_ms": "1500\n", ipv4 + "tcp_syn_retries": "3\n",
			ipv4 + "tcp_syn_linear_timeouts": "2\n", ipv4 + "tcp_synack_retries": "1\n",
			ipv4 + "tcp_orphan_retries": "7\n",
		}, Related{
			Retries2: 8, RTOMax: 1500 * time.Millisecond, SynRetries: 3, SynLinearTimeouts: 2,
			SynackRetries: 1, OrphanRetries: 7,
		}},
		{"an older kernel has no linear timeouts", map[string]string{
			ipv4 + "tcp_retries2": "15\n", ipv4 + "tcp_syn_retries": "6\n", ipv4 + "tcp_synack_retries": "5\n",
			ipv4 + "tcp_orphan_retries": "0\n",
		}, older},
		{"an image of the three keys only", three("600\n", "30\n", "4\n"), unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs, _ := image(t, tt.files)
			got, err := fs.Related()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRelatedAssumesNothingForAGarbledFile(t *testing.T) {
	fs, dir := image(t, map[string]string{ipv4 + "tcp_retries2": "many\n", ipv4 + "tcp_orphan_retries": "\n"})
	got, err := fs.Related()
	if diff := cmp.Diff(Related{}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, want := range []string{dir + "/" + ipv4 + `tcp_retries2: "many": not a whole number`, "tcp_orphan_retries: empty"} {
		if !strings.Contains(errText(err), want) {
			t.Errorf("got %v, want it to contain %q", err, want)
		}
	}
}

func TestRelatedOfTheKernel(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		got, err := FS{}.Related()
		check(t, err)
		want := defaults()
		want.Assumed = got.Assumed
		if got.SynLinearTimeouts == 0 && len(got.Assumed) > 0 { // before Linux 6.5
			want.SynLinearTimeouts = 0
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("a new namespace, -want +got:\n%s", diff)
		}
		nstest.Sysctl(t, "net.ipv4.tcp_retries2", "5")
		want.Retries2 = 5
		got, err = FS{}.Related()
		check(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after writing, -want +got:\n%s", diff)
		}
	})
}
