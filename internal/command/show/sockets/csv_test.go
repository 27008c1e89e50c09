package sockets

import (
	"encoding/csv"
	"strconv"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
)

// checkCSV reads it back as a spreadsheet would.
func checkCSV(t *testing.T, name, text string) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if len(rows) < 2 {
		t.Errorf("%s: %d rows", name, len(rows))
	}
	for _, row := range rows[1:] {
		for i, field := range row {
			if field == "" || strings.IndexByte("=+-@\t\r", field[0]) < 0 {
				continue
			}
			if _, err := strconv.ParseFloat(field, 64); err != nil {
				t.Errorf("%s: %s is a formula: %q", name, rows[0][i], field)
			}
		}
	}
}

func FuzzAppendCSV(f *testing.F) {
	for _, s := range []string{"sshd", answertest.Hostile, "=cmd|' /C calc'!A0", "\t=1", "-1", "@x", "a\nb", `"`, "'", " =1", "+", "\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line := string(appendCSV(nil, s))
		rows, err := csv.NewReader(strings.NewReader("x," + line + ",y\n")).ReadAll()
		if err != nil || len(rows) != 1 || len(rows[0]) != 3 {
			t.Fatalf("%q: %q reads as %q, %v", s, line, rows, err)
		}
		field := rows[0][1]
		if strings.ContainsFunc(line, answer.Unsafe) {
			t.Errorf("%q: %q is not for a terminal", s, line)
		}
		if field != "" && strings.IndexByte("=+-@\t\r", field[0]) >= 0 {
			t.Errorf("%q: %q is a formula", s, field)
		}
		if rest, guarded := strings.CutPrefix(field, "'"); field != answer.Escape(s) && !(guarded && rest == answer.Escape(s)) {
			t.Errorf("%q: reads as %q", s, field)
		}
	})
}
