package report

import (
	"bytes"
	"testing"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

func planned() Plan {
	d := Plan{
		Schema: "tcpka/plan/v1", Feasible: true,
		Goal: PlanGoal{
			Behind:      []PlanBox{{"lb", "a load balancer", Seconds(s(350)), true}, {"proxy", "a proxy", Seconds(s(60)), false}},
			PathTimeout: new(Seconds(s(350))), SSHPathTimeout: new(Seconds(s(60))), DetectWithin: new(Seconds(s(120))),
			SurviveLoss: 2, HZ: 250,
		},
		TCPEndsAt: []string{"proxy"},
		Reasons:   []string{}, Notes: []string{"one note", "another\x1b[31m"},
		Snippets: map[string]string{"z": "a line\n\nanother\n", "a": "# a comment\n"},
		Targets:  []PlanTarget{{"z", "a thing", "a line\n\nanother\n"}, {"a", "another", "# a comment\n"}},
		Commands: []string{"sudo tcpka set --time 86"},
	}
	d.SetTCP(keepalive.Settings{Time: s(86), Intvl: s(10), Probes: 3, UserTimeout: s(115)}, calc.DefaultKernel(), 2)
	d.SetSSH(calc.SSH{Interval: s(19), CountMax: 3})
	return d
}

func TestPlan(t *testing.T) {
	empty := Plan{Schema: "tcpka/plan/v1", TCPEndsAt: []string{}, Reasons: []string{}, Notes: []string{}, Snippets: map[string]string{}, Commands: []string{}}
	infeasible := empty
	infeasible.Goal = PlanGoal{Behind: []PlanBox{}, DetectWithin: new(Seconds(s(3))), SurviveLoss: 1, HZ: 250}
	infeasible.Reasons = []string{"too soon", "too much"}
	bare := empty
	bare.Feasible = true
	bare.Goal = PlanGoal{Behind: []PlanBox{{"lb", "a load balancer", Seconds(s(350)), true}}, PathTimeout: new(Seconds(s(90))), HZ: 250}
	bare.SetTCP(keepalive.Settings{Time: s(60), Intvl: s(10), Probes: 1}, calc.DefaultKernel(), 0)
	onlySSH := empty
	onlySSH.Feasible, onlySSH.TCPEndsAt = true, []string{"proxy"}
	onlySSH.Goal = PlanGoal{Behind: []PlanBox{{"proxy", "a proxy", Seconds(s(60)), false}}, SSHPathTimeout: new(Seconds(s(60))), SurviveLoss: 2, HZ: 250}
	onlySSH.SetSSH(calc.SSH{Interval: s(19), CountMax: 3})

	for name, d := range map[string]Plan{"full": planned(), "infeasible": infeasible, "bare": bare, "only_ssh": onlySSH} {
		var table, doc bytes.Buffer
		if err := Table(&table, d, Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		golden(t, "plan_"+name+".txt", table.String())
		if err := JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		golden(t, "plan_"+name+".json", doc.String())
	}
}
