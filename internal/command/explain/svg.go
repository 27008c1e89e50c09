package explain

import (
	"bufio"
	"fmt"
	"html"
	"io"

	"github.com/tcpka/tcpka/internal/answer"
)

// The picture's measures, in its own units.
const (
	svgWidth  = 960
	svgHeight = 320
	svgLeft   = 48.0
	svgRight  = 912.0
	svgLine   = 170.0 // height of the time line
)

// svgHead needs nothing from outside, and follows the reader's light or dark
// preference.
const svgHead = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title desc">
<title id="title">%s</title>
<desc id="desc">%s</desc>
<style>
  .bg { fill: #ffffff } .ink { fill: #1f2328 } .dim { fill: #59636e } .rule { stroke: #59636e }
  .quiet { fill: #ddf4ff } .probing { fill: #fff1c2 } .slack { fill: #ffd8d3 }
  .probe { fill: #9a6700 } .dead { stroke: #cf222e } .deadtext { fill: #cf222e }
  text { font: 14px system-ui, sans-serif } .head { font-size: 20px; font-weight: 600 } .mono { font: 13px ui-monospace, monospace }
  @media (prefers-color-scheme: dark) {
    .bg { fill: #0d1117 } .ink { fill: #f0f6fc } .dim { fill: #9198a1 } .rule { stroke: #9198a1 }
    .quiet { fill: #12304f } .probing { fill: #4a3a08 } .slack { fill: #5a2222 }
    .probe { fill: #e3b341 } .dead { stroke: #ff7b72 } .deadtext { fill: #ff7b72 }
  }
</style>
<rect class="bg" width="%d" height="%d"/>
`

// SVG draws the timeline of d as one self-contained picture.
func SVG(w io.Writer, d Document) error {
	b := bufio.NewWriter(w)
	title := "An idle connection whose peer vanishes is never dropped"
	if d.Detection.Seconds != nil {
		title = "An idle connection whose peer vanishes is dropped after " + d.Detection.Seconds.Both()
	}
	settings := fmt.Sprintf("time %s s, intvl %s s, probes %d", d.Settings.Time, d.Settings.Intvl, d.Settings.Probes)
	if d.Settings.UserTimeout > 0 {
		settings += ", user timeout " + d.Settings.UserTimeoutSeconds().Both()
	}
	formula := d.formula(answer.Style{Unicode: true})
	fmt.Fprintf(b, svgHead, svgWidth, svgHeight, svgWidth, svgHeight,
		html.EscapeString(title), html.EscapeString(settings+". "+formula), svgWidth, svgHeight)
	text := func(x, y float64, class, anchor, s string) {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor, html.EscapeString(s))
	}
	text(svgLeft, 44, "ink head", "start", title)
	text(svgLeft, 70, "dim", "start", settings)
	text(svgLeft, 284, "ink mono", "start", formula)
	if d.Detection.Seconds != nil {
		text(svgLeft, 304, "dim", "start", fmt.Sprintf("The kernel's timers are late (the last band): in practice %s (HZ %d).",
			answer.Between(*d.Detection.Earliest, *d.Detection.Latest), d.Kernel.HZ))
	}
	d.svgTimeline(b, text)
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

func (d Document) svgTimeline(b *bufio.Writer, text func(x, y float64, class, anchor, s string)) {
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="rule" stroke-width="2"/>`+"\n", svgLeft, svgLine, svgRight, svgLine)
	text(svgLeft, svgLine-24, "dim", "start", "0 s: the last segment from the peer")
	if len(d.Timeline) == 0 {
		return
	}
	end := float64(d.Timeline[len(d.Timeline)-1].At) * 1.25 // room for an open end
	if d.Detection.Latest != nil {
		end = float64(*d.Detection.Latest)
	}
	x := func(at answer.Seconds) float64 { return svgLeft + float64(at)/max(end, 1)*(svgRight-svgLeft) }
	band := func(class string, from, to answer.Seconds) {
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="24" class="%s"/>`+"\n", x(from), svgLine-12, max(x(to)-x(from), 0), class)
	}
	var first, dead *answer.TimelineEvent
	for i, e := range d.Timeline {
		if e.Event == "probe" && first == nil {
			first = &d.Timeline[i]
		}
		if e.Event == "dead" {
			dead = &d.Timeline[i]
		}
	}
	if dead != nil {
		quiet := dead.At
		if first != nil {
			quiet = first.At
			band("probing", first.At, dead.At)
		}
		band("quiet", 0, quiet)
		band("slack", dead.At, *d.Detection.Latest)
	}
	radius := 5.0 // smaller where the probes are close
	if d.Settings.Intvl > 0 {
		radius = min(radius, max(1.5, (x(d.Settings.Intvl)-x(0))*0.4))
	}
	for i, e := range d.Timeline {
		switch e.Event {
		case "probe":
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%.1f" class="probe"><title>probe %d at %s s</title></circle>`+"\n", x(e.At), svgLine, radius, e.N, e.At)
		case "omitted":
			middle := (x(e.At) + x(d.Timeline[i+1].At)) / 2
			text(middle, svgLine+5, "ink", "middle", "…")
			text(middle, svgLine+34, "dim", "middle", fmt.Sprintf("%d more probes", e.Count))
		case "dead":
			c := x(e.At)
			fmt.Fprintf(b, `<path d="M%.1f %.1fl16 16m0 -16l-16 16" class="dead" stroke-width="3"/>`+"\n", c-8, svgLine-8)
			text(min(c, svgRight-4), svgLine+56, "deadtext", "end", fmt.Sprintf("%s s: %s", e.At, e.Errno))
		}
	}
	if first != nil {
		anchor := "middle"
		if x(first.At) < svgLeft+40 {
			anchor = "start"
		}
		text(x(first.At), svgLine+34, "dim", anchor, first.At.String()+" s: first probe")
	}
}
