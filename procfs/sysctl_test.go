package procfs

import (
	"strconv"
	"strings"
	"testing"
)

func TestParseInt(t *testing.T) {
	tests := []struct {
		name string
		data string
		want int
		err  string
	}{
		{name: "what the kernel writes", data: "7200\n", want: 7200},
		{name: "without the end of the line", data: "7200", want: 7200},
		{name: "white space around it", data: "\t 7200 \r\n\n", want: 7200},
		{name: "a negative number", data: "-1\n", want: -1},
		{name: "decimal, not octal", data: "0600\n", want: 600},
		{name: "the largest int", data: "2147483647\n", want: 2147483647},
		{name: "the smallest int", data: "-2147483648\n", want: -2147483648},
		{name: "one more than the largest int", data: "2147483648\n", err: `"2147483648": too large for the kernel`},
		{name: "a number of many digits", data: strings.Repeat("9", 50), err: `"` + strings.Repeat("9", 40) + `"...: too large for the kernel`},
		{name: "an empty file", data: "", err: "empty"},
		{name: "an empty line", data: "\n", err: "empty"},
		{name: "a second number", data: "5 6\n", err: `"5 6": not one number alone`},
		{name: "a second line", data: "60\n00\n", err: `"60\n00": not one number alone`},
		{name: "a fraction", data: "1.5\n", err: `"1.5": not a whole number`},
		{name: "a unit", data: "2 h\n", err: `"2 h": not one number alone`},
		{name: "hexadecimal", data: "0x10\n", err: `"0x10": not a whole number`},
		{name: "an underscore", data: "7_200\n", err: `"7_200": not a whole number`},
		{name: "binary", data: "garb\x00\x1b[31m", err: `"garb\x00\x1b[31m": not a whole number`},
		{name: "characters that turn a line around", data: "\u202e0027", err: `"\u202e0027": not a whole number`},
		{name: "invalid UTF-8", data: "\xff\xfe", err: `"\xff\xfe": not a whole number`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := parseInt([]byte(tt.data))
			if n != tt.want || errText(err) != tt.err {
				t.Errorf("parseInt(%q) = %d, %v; want %d, %v", tt.data, n, err, tt.want, tt.err)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzParseInt(f *testing.F) {
	for _, seed := range []string{"7200\n", "-1\n", "", "5 6\n", "0600", "2147483648", "garb\x00", "\u202e1", "1.5", "+5"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := parseInt(data)
		if err != nil {
			for _, r := range err.Error() {
				if !strconv.IsPrint(r) {
					t.Fatalf("parseInt(%q): the error %q is not safe to print", data, err)
				}
			}
			return
		}
		again, err := parseInt([]byte(strconv.Itoa(n) + "\n"))
		if err != nil || again != n {
			t.Fatalf("parseInt(%q) = %d, and of that %d, %v", data, n, again, err)
		}
	})
}
