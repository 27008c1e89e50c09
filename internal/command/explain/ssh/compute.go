package ssh

import (
	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/keepalive"
)

// NewDocument computes nothing new: it puts what is predicted for one end of a
// session, on top of TCP with the settings set, into the document.
func NewDocument(end calc.SSH, set keepalive.Settings, k calc.Kernel, assumed []string, source string) Document {
	d := Document{
		Schema: "tcpka/explain-ssh/v1",
		Settings: Settings{
			Side: end.Side, Interval: answer.Seconds(end.Interval), CountMax: end.CountMax, TCPKeepAlive: end.TCPKeepAlive, Proxied: end.Proxied,
		},
		Detection: answer.NewPrediction(end.Detection()),
		Lateness:  answer.Seconds(end.Lateness()),
		Timeline:  answer.NewTimeline(end.Timeline(), ""),
		Warnings:  append([]calc.Warning{}, end.Warnings(k, set)...),
		Keepalive: answer.NewSettings(set),
		Kernel:    answer.NewKernelSettings(k, assumed),
		Source:    source,
		doubled:   end.Doubled(),
	}
	if end.Version.Known() {
		d.Settings.Version = new(end.Version.String())
	}
	if period, ok := end.Refresh(); ok {
		d.Refresh = new(answer.Seconds(period))
	}
	for _, sit := range end.Situations(k, set) {
		d.Situations = append(d.Situations, answer.NewSituation(sit))
	}
	return d
}
