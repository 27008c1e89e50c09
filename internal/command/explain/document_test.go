package explain

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
	"github.com/tcpka/tcpka/keepalive"
)

func explained(set keepalive.Settings) Document {
	return NewDocument(set, calc.DefaultKernel(), nil, "namespace host")
}

// settings are explained in every format.
var settings = map[string]keepalive.Settings{
	"defaults":       keepalive.Defaults(),
	"user_timeout":   {Time: answertest.S(60), Intvl: answertest.S(10), Probes: 6, UserTimeout: 90 * time.Second},
	"many_probes":    {Time: answertest.S(30), Intvl: answertest.S(10), Probes: 40},
	"probes_zero":    {Time: answertest.S(60), Intvl: answertest.S(10)},
	"time_negative":  {Time: answertest.S(-1), Intvl: answertest.S(10), Probes: 3},
	"intvl_negative": {Time: answertest.S(10), Intvl: answertest.S(-1), Probes: 3},
	"all_zero":       {Probes: 3},
}

func TestExplain(t *testing.T) {
	for name, set := range settings {
		d := explained(set)
		var table, doc bytes.Buffer
		if err := answer.Table(&table, d, answer.Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "explain_"+name+".txt", table.String())
		if err := answer.JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "explain_"+name+".json", doc.String())
	}
}

func TestTimelineOnATerminal(t *testing.T) {
	var b bytes.Buffer
	if err := answer.Table(&b, explained(settings["user_timeout"]), answer.Style{Width: 100, Unicode: true, Color: true}); err != nil {
		t.Fatal(err)
	}
	answertest.Golden(t, "explain_terminal.txt", b.String())
}

// TestTimelineNeverOutgrowsTheTerminal draws odd settings at odd widths.
func TestTimelineNeverOutgrowsTheTerminal(t *testing.T) {
	hour := answertest.S(3600)
	for _, set := range []keepalive.Settings{
		keepalive.Defaults(),
		{Time: 0, Intvl: answertest.S(1), Probes: 255},
		{Time: hour * 2386, Intvl: hour * 2386, Probes: 255},
		{Time: answertest.S(1), Intvl: answertest.S(1), Probes: 1, UserTimeout: keepalive.MaxUserTimeout},
		{},
	} {
		for width := 0; width < 200; width += 7 {
			var b bytes.Buffer
			if err := answer.Table(&b, explained(set), answer.Style{Width: width}); err != nil {
				t.Fatal(err)
			}
			line := strings.Split(b.String(), "\n")[4]
			if max := max(width, 40); len(line) > max {
				t.Errorf("%+v at width %d: the line is %d wide: %s", set, width, len(line), line)
			}
		}
	}
}

func TestSVGIsOneSelfContainedPicture(t *testing.T) {
	outside := regexp.MustCompile(`(href|src|url\(|@import|<script|https?://)`)
	for name, set := range settings {
		var b bytes.Buffer
		if err := SVG(&b, explained(set)); err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, b.String())
			}
		}
		text := strings.ReplaceAll(b.String(), `xmlns="http://www.w3.org/2000/svg"`, "")
		if m := outside.FindString(text); m != "" {
			t.Errorf("%s: it refers to the outside: %s", name, m)
		}
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s: it has a coordinate that is no number", name)
		}
		if n := set.Probes; name == "user_timeout" && strings.Count(text, "<circle") != 3 {
			t.Errorf("%s: %d probes drawn of 3, whatever probes is (%d)", name, strings.Count(text, "<circle"), n)
		}
	}
}

// TestContractFields are the names other programs rely on.
func TestContractFields(t *testing.T) {
	var doc bytes.Buffer
	if err := answer.JSON(&doc, explained(keepalive.Defaults())); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Schema    string
		Detection map[string]any
		Timeline  []map[string]any
	}
	if err := json.Unmarshal(doc.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"seconds": 7875.0, "earliest_seconds": 7875.0, "latest_seconds": 8024.504,
		"never": false, "decided_by": "probes", "probes_sent": 9.0, "errno": "ETIMEDOUT",
	}
	if diff := cmp.Diff(want, got.Detection); diff != "" {
		t.Errorf("detection (-want +got):\n%s", diff)
	}
	first, last := got.Timeline[0], got.Timeline[len(got.Timeline)-1]
	if diff := cmp.Diff(map[string]any{"at_seconds": 7200.0, "event": "probe", "n": 1.0}, first); diff != "" {
		t.Errorf("first event (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"at_seconds": 7875.0, "event": "dead", "errno": "ETIMEDOUT"}, last); diff != "" {
		t.Errorf("last event (-want +got):\n%s", diff)
	}
}

func TestExplainFitsTheTerminal(t *testing.T) {
	answertest.Fits(t, "explain_80.txt", func(w io.Writer) error {
		return answer.Table(w, explained(settings["user_timeout"]), answer.Style{Width: 80, Terminal: true})
	})
}

// TestAPictureThatCannotBeWritten is sent into a pipe that nobody reads.
func TestAPictureThatCannotBeWritten(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if err := SVG(w, explained(keepalive.Defaults())); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v, want the error of the pipe", err)
	}
}
