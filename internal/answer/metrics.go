package answer

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Metrics writes gauges in the text format of Prometheus.
type Metrics struct{ w *bufio.Writer }

// NewMetrics writes to w.
func NewMetrics(w io.Writer) Metrics { return Metrics{bufio.NewWriter(w)} }

// Series are the values of a gauge by their [Labels], "" for none.
type Series map[string]float64

// Gauge writes one with its values, sorted by labels or in the order of those named.
func (m Metrics) Gauge(name, help string, series Series, order ...string) {
	if len(order) == 0 {
		order = slices.Sorted(maps.Keys(series))
	}
	fmt.Fprintf(m.w, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
	for _, labels := range order {
		value := strconv.FormatFloat(series[labels], 'g', -1, 64)
		if labels != "" {
			labels = "{" + labels + "}"
		}
		fmt.Fprintf(m.w, "%s%s %s\n", name, labels, value)
	}
}

// Flush writes what is left, and returns the first error.
func (m Metrics) Flush() error { return m.w.Flush() }

// Labels are names and their values as the text format wants them, and as a terminal
// can bear them.
func Labels(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(pairs[i] + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(Escape(pairs[i+1])) + `"`)
	}
	return b.String()
}
