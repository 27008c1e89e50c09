package explain

import (
	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/keepalive"
)

// NewDocument computes nothing new: it puts what k predicts for s into the
// document.
func NewDocument(s keepalive.Settings, k calc.Kernel, assumed []string, source string) Document {
	d := Document{
		Schema:    "tcpka/explain/v1",
		Settings:  answer.NewSettings(s),
		Kernel:    answer.NewKernelSettings(k, assumed),
		Detection: answer.NewPrediction(k.IdlePeerGone(s)),
		Timeline:  answer.NewTimeline(k.Timeline(s), "ETIMEDOUT"),
		Warnings:  append([]calc.Warning{}, k.Warnings(s)...),
		Source:    source,
	}
	if period, _, ok := k.Refresh(s); ok {
		d.Refresh = new(answer.Seconds(period))
	}
	for _, sit := range k.Situations(s) {
		d.Situations = append(d.Situations, answer.NewSituation(sit))
	}
	return d
}
