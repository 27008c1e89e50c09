package ssh

import (
	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
)

// NewSide puts what is predicted for one end into the document. A version that
// is empty is not known.
func NewSide(end calc.SSH, version string) Side {
	d := UnknownSide("")
	d.Error = nil
	if version != "" {
		d.Version = &version
	}
	d.Interval, d.CountMax, d.TCPKeepAlive = new(answer.Seconds(end.Interval)), &end.CountMax, &end.TCPKeepAlive
	d.Proxied = end.Proxied
	if p := answer.NewPrediction(end.Detection()); !p.Never {
		d.Detection, d.DetectionEarliest, d.DetectionLatest = p.Seconds, p.Earliest, p.Latest
	}
	if period, ok := end.Refresh(); ok {
		d.Refresh = new(answer.Seconds(period))
	}
	return d
}

// UnknownSide is a side about which nothing is known, and why.
func UnknownSide(why string) Side {
	return Side{Sources: map[string]string{}, Unsure: map[string]string{}, Paths: []Path{}, Error: &why, Warnings: []calc.Warning{}}
}

// SetDetection adds what the program does by itself.
func (f *File) SetDetection(p calc.Prediction) {
	if d := answer.NewPrediction(p); !d.Never {
		f.Detects, f.Detection, f.DetectionEarliest, f.DetectionLatest = true, d.Seconds, d.Earliest, d.Latest
	}
}
