package journal_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tcpka/tcpka/internal/journal"
)

// A command journals what it is about to change, changes it, and says so.
func ExampleDir_Open() {
	d := journal.At(filepath.Join(mkdirTemp(), "tcpka"))
	defer os.RemoveAll(filepath.Dir(d.String()))

	j, err := d.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer j.Close()
	id, err := j.Begin("set --time 600", []journal.Change{
		{Kind: journal.Sysctl, Key: "net.ipv4.tcp_keepalive_time", Old: new("7200"), New: new("600")},
	})
	if err != nil {
		log.Fatal(err) // and nothing is changed
	}

	// Here the sysctl is written.

	if err := j.Done(id, nil); err != nil {
		log.Fatal(err)
	}

	list, err := d.Read()
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range list.Entries {
		fmt.Println(e.Command, e.Done, e.Undone)
	}
	// Output: set --time 600 true false
}

// Undo takes back the newest command that was not undone yet.
func ExampleLog_Newest() {
	d := journal.At(filepath.Join(mkdirTemp(), "tcpka"))
	defer os.RemoveAll(filepath.Dir(d.String()))

	j, err := d.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer j.Close()
	for _, value := range []string{"600", "300"} {
		_, err := j.Begin("set --time "+value, []journal.Change{
			{Kind: journal.Sysctl, Key: "net.ipv4.tcp_keepalive_time", New: &value},
		})
		if err != nil {
			log.Fatal(err)
		}
	}

	for {
		list, err := j.Log()
		if err != nil {
			log.Fatal(err)
		}
		e, ok := list.Newest()
		if !ok {
			break
		}
		fmt.Println("undo", e.Command)
		if err := j.Undone(e.ID); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// undo set --time 300
	// undo set --time 600
}

func mkdirTemp() string {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		log.Fatal(err)
	}
	return dir
}
