package middlebox

import (
	"slices"
	"testing"
	"time"
)

func seconds(list ...float64) []time.Duration {
	var times []time.Duration
	for _, s := range list {
		times = append(times, time.Duration(s*float64(time.Second)).Round(time.Microsecond))
	}
	return times
}

func TestProbeTimes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		longest time.Duration
		n       int
		want    []time.Duration
	}{
		{"two hours, each time twice the one before", 2 * time.Hour, 8, seconds(56, 113, 225, 450, 900, 1800, 3600, 7200)},
		{"a minute begins with a second", time.Minute, 8, seconds(1, 2, 3, 6, 10, 19, 33, 60)},
		{"short times have tenths", 5 * time.Second, 4, seconds(1, 1.7, 2.9, 5)},
		{"no time is there twice", 2 * time.Second, 8, seconds(1, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2)},
		{"the shortest silence is all there is", time.Second, 8, seconds(1)},
		{"two connections", 110 * time.Second, 2, seconds(1, 110)},
	} {
		if got := ProbeTimes(tt.longest, tt.n); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n-want %v\n+got  %v", tt.name, tt.want, got)
		}
	}
}

func TestRefinedTimesLieBetweenTheBounds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		lo, hi time.Duration
		n      int
		want   []time.Duration
	}{
		{"evenly by their ratio", 225 * time.Second, 450 * time.Second, 8, seconds(243, 262, 283, 306, 331, 357, 386, 417)},
		{"with nothing that survived, from the shortest", 0, 56 * time.Second, 4, seconds(1, 3, 7, 20)},
		{"narrow bounds are rounded to less", seconds(5.001)[0], seconds(5.05)[0], 1, seconds(5.025)},
		{"one of several is rounded to less", seconds(6.003)[0], seconds(10.019)[0], 8, seconds(6.4, 7, 8, 9)},
		{"nothing fits", time.Second, time.Second, 8, nil},
	} {
		got := refine(tt.lo, tt.hi, tt.n)
		for i := range got {
			got[i] = got[i].Round(time.Microsecond)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n-want %v\n+got  %v", tt.name, tt.want, got)
		}
	}
}

func TestBounds(t *testing.T) {
	const s = time.Second
	sample := func(o Outcome, silence time.Duration) Sample { return Sample{Outcome: o, Silence: silence} }
	for _, tt := range []struct {
		name    string
		samples []Sample
		want    Bounds
		safe    time.Duration
	}{
		{"nothing is known", nil, Bounds{}, 0},
		{"the largest that survived and the smallest that did not",
			[]Sample{sample(Answered, 1*s), sample(Answered, 3*s), sample(Swallowed, 9*s), sample(Swallowed, 5*s), sample(Unfinished, 7*s), sample(Unmade, 0)},
			Bounds{Survived: 3 * s, Failed: 5 * s, How: Silent}, 3 * s},
		{"how the smallest failed counts", []Sample{sample(Rejected, 5*s), sample(Swallowed, 9*s)}, Bounds{Failed: 5 * s, How: Reset}, 0},
		{"a FIN that came through shows that the path remembers", []Sample{{Outcome: HungUp, Silence: 4 * s, Age: 7 * s}, {Outcome: HungUp, Silence: 5 * s, Age: 6 * s}, sample(Answered, 2*s)},
			Bounds{Survived: 5 * s, Closed: 6 * s}, 5 * s},
		{"so do segments of the far end", []Sample{sample(Spoke, 4*s)}, Bounds{Survived: 4 * s}, 4 * s},
		{"a contradiction: what is safe lies below the failure", []Sample{sample(Answered, 2*s), sample(Swallowed, 3*s), sample(Answered, 8*s)},
			Bounds{Survived: 8 * s, Failed: 3 * s, How: Silent}, 2 * s},
		{"what was not waited for says nothing", []Sample{sample(Unfinished, 9*s)}, Bounds{}, 0},
	} {
		if got := BoundsOf(tt.samples); got != tt.want {
			t.Errorf("%s:\n-want %+v\n+got  %+v", tt.name, tt.want, got)
		}
		if got := Safe(tt.samples); got != tt.safe {
			t.Errorf("%s: safe %v, want %v", tt.name, got, tt.safe)
		}
	}
}

func TestBoxesWithinTheBounds(t *testing.T) {
	names := func(b Bounds) (names []string) {
		for _, box := range b.Within() {
			names = append(names, box.Name)
		}
		return names
	}
	got := names(Bounds{Survived: 345 * time.Second, Failed: 352 * time.Second})
	if !slices.Contains(got, "aws-nlb") || slices.Contains(got, "azure-lb") {
		t.Errorf("between 345 and 352 s: %q", got)
	}
	if got := names(Bounds{Survived: 59 * time.Second, Failed: 61 * time.Second}); slices.Contains(got, "aws-alb") {
		t.Errorf("a proxy, which no keepalive refreshes: %q", got)
	}
	if got := names(Bounds{Survived: 7200 * time.Second}); got != nil {
		t.Errorf("without an upper bound: %q", got)
	}
}
