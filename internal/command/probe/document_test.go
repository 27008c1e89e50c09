package probe

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
)

// probes are the answers of tcpka probe, each in every format.
func probes() map[string]answer.Document {
	d := func(seconds float64) *answer.Seconds {
		return new(answer.Seconds(time.Duration(seconds * float64(time.Second))))
	}
	nothing := Document{
		Schema: "tcpka/probe/v1", Target: "192.0.2.1:443", Address: "192.0.2.1:443", Direction: "client-to-server", How: "none",
		Samples: []Sample{}, Advice: Advice{Like: []string{}, Commands: []string{}}, Notes: []string{},
	}
	silent := nothing
	silent.Target, silent.Survived, silent.Failed, silent.How = "example.org:443", d(348.012), d(351.018), "silent"
	silent.Samples = []Sample{
		{Wanted: d(225), Silence: d(225.001), Outcome: "answered"},
		{Wanted: d(450), Silence: d(450.018), Outcome: "swallowed"},
		{Wanted: d(900), Silence: d(455.2), Outcome: "unfinished"},
		{Wanted: d(348), Silence: d(348.012), Outcome: "answered"},
		{Wanted: d(351), Silence: d(351.018), Outcome: "swallowed"},
		{Wanted: d(330), Outcome: "unmade", Error: new("closed at once by the far end, which said \"\x1b[31m\"")},
	}
	silent.Advice = Advice{
		PathTimeout: d(348), SurviveLoss: new(2), Settings: &answer.Settings{Time: answer.Seconds(answertest.S(271)), Intvl: answer.Seconds(answertest.S(10)), Probes: 3, UserTimeout: 300_000},
		Like: []string{"aws-nlb"}, Commands: []string{"tcpka plan --path-timeout 348", "sudo tcpka set --time 271 --intvl 10 --probes 3"},
	}
	silent.Notes = []string{"what cannot be seen"}
	interrupted := nothing
	interrupted.Survived, interrupted.Interrupted = d(2.065), true
	interrupted.Samples = []Sample{{Wanted: d(1), Silence: d(1.002), Outcome: "answered"}, {Wanted: d(7200), Silence: d(2.065), Outcome: "answered"}}
	interrupted.Advice.Reason = new("no silence failed")
	reset := nothing
	reset.Failed, reset.How = d(240), "reset"
	reset.Samples = []Sample{{Wanted: d(300), Silence: d(240), Outcome: "reset", Unasked: true}, {Wanted: d(400), Silence: d(400), Outcome: "reset"}}
	closed := nothing
	closed.Direction, closed.Survived, closed.ClosedByServer = "server-to-client", d(119.5), d(120.5)
	closed.Samples = []Sample{{Silence: d(119.5), Outcome: "closed"}, {Silence: d(60), Outcome: "spoke"}}
	served := Serve{
		Schema: "tcpka/probe-serve/v1", Listen: "[::]:7000",
		Hosts: []ServeOf{{"192.0.2.7", d(225), d(450.1), "reset"}, {"2001:db8::7", nil, nil, "none"}},
		Connections: []ServeOne{
			{"192.0.2.7:40000", "server-to-client", Sample{Wanted: d(225), Silence: d(225.001), Outcome: "answered"}},
			{"192.0.2.7:40001", "client-to-server", Sample{Silence: d(60.009), Outcome: "spoke"}},
		},
	}
	return map[string]answer.Document{"silent": silent, "interrupted": interrupted, "reset": reset, "closed": closed, "nothing": nothing, "serve": served}
}

func TestProbe(t *testing.T) {
	for name, d := range probes() {
		var table, doc bytes.Buffer
		if err := answer.Table(&table, d, answer.Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "probe_"+name+".txt", table.String())
		if err := answer.JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "probe_"+name+".json", doc.String())
	}
}

func TestALineOfProbeServe(t *testing.T) {
	var b strings.Builder
	for _, one := range probes()["serve"].(Serve).Connections {
		one.Line(&b)
	}
	want := "192.0.2.7:40000  silent for 225.001 s (3m45s): the probe was answered\n" +
		"192.0.2.7:40001  silent for 60.009 s (1m): its probe came through\n"
	if b.String() != want {
		t.Errorf("-want\n%s+got\n%s", want, &b)
	}
}
