package selftest

import (
	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/keepalive"
)

// NewRow starts the row of a connection with the settings s.
func NewRow(situation, name string, s keepalive.Settings) Row {
	return Row{
		Situation: situation, Name: name, Sysctls: map[string]int{},
		Settings: answer.NewSettings(s),
	}
}

// Failed is r where it could not be measured.
func (r Row) Failed(err error) Row {
	r.Text = new(err.Error())
	return r
}

// Outcome is r with its outcome; why says what is wrong and is empty where
// nothing is.
func (r Row) Outcome(p calc.Prediction, m Measure, why string) Row {
	r.Predicted, r.Measured, r.OK = new(answer.NewPrediction(p)), &m, why == ""
	if why != "" {
		r.Text = &why
	}
	return r
}
