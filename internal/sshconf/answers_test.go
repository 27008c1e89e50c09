package sshconf

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestRootAFileThatNobodyAnswersForIsGivenUp has a dead mount in the way of what is read, in
// each of the places that a user chooses.
func TestRootAFileThatNobodyAnswersForIsGivenUp(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		dead, home := nstest.DeadMount(t), t.TempDir()
		write := func(name, content string) string {
			path := filepath.Join(home, name)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		link := filepath.Join(home, "link")
		if err := os.Symlink(dead+"/f", link); err != nil {
			t.Fatal(err)
		}
		up := filepath.Join(home, "up")
		if err := os.Symlink("../"+filepath.Base(home), up); err != nil {
			t.Fatal(err)
		}
		var rows sync.WaitGroup // each waits
		for name, file := range map[string]string{
			"the file itself":                 dead + "/f",
			"a link to it":                    link,
			"a link behind another":           up + "/link",
			"a name that is looked up":        dead + "/gone",
			"a file that is included":         write("include", "Include "+dead+"/f\n"),
			"a name that is included":         write("name", "Include "+dead+"/gone\n"),
			"a pattern of them":               write("pattern", "Include "+dead+"/*.conf\n"),
			"a pattern behind a linked place": write("linked", "Include "+up+"/lin?\n"),
		} {
			rows.Go(func() {
				if _, err := FindClient(Client{Host: "a", UserFile: file}); !errors.Is(err, ErrNoAnswer) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		rows.Wait()
		if err := Answers(write("local", "")); err != nil {
			t.Error(err)
		}
	})
}

// TestRootAProgramThatCannotBeKilledIsGivenUp has one that waits for a dead mount: not even
// SIGKILL ends it.
func TestRootAProgramThatCannotBeKilledIsGivenUp(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		dead := nstest.DeadMount(t)
		p := Programs{Timeout: 200 * time.Millisecond}
		if _, err := p.Run(context.Background(), nil, nstest.Program(t, "cat"), dead+"/f"); !errors.Is(err, errStuck) {
			t.Errorf("%v", err)
		}
	})
}
