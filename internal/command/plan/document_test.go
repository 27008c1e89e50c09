package plan

import (
	"bytes"
	"testing"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
	"github.com/tcpka/tcpka/keepalive"
)

func planned() Document {
	d := Document{
		Schema: "tcpka/plan/v1", Feasible: true,
		Goal: Goal{
			Behind:      []Box{{"lb", "a load balancer", answer.Seconds(answertest.S(350)), true}, {"proxy", "a proxy", answer.Seconds(answertest.S(60)), false}},
			PathTimeout: new(answer.Seconds(answertest.S(350))), SSHPathTimeout: new(answer.Seconds(answertest.S(60))), DetectWithin: new(answer.Seconds(answertest.S(120))),
			SurviveLoss: 2, HZ: 250,
		},
		TCPEndsAt: []string{"proxy"},
		Reasons:   []string{}, Notes: []string{"one note", "another\x1b[31m"},
		Snippets: map[string]string{"z": "a line\n\nanother\n", "a": "# a comment\n"},
		Targets:  []Target{{"z", "a thing", "a line\n\nanother\n"}, {"a", "another", "# a comment\n"}},
		Commands: []string{"sudo tcpka set --time 86"},
	}
	d.SetTCP(keepalive.Settings{Time: answertest.S(86), Intvl: answertest.S(10), Probes: 3, UserTimeout: answertest.S(115)}, calc.DefaultKernel(), 2)
	d.SetSSH(calc.SSH{Interval: answertest.S(19), CountMax: 3})
	return d
}

func TestPlan(t *testing.T) {
	empty := Document{Schema: "tcpka/plan/v1", TCPEndsAt: []string{}, Reasons: []string{}, Notes: []string{}, Snippets: map[string]string{}, Commands: []string{}}
	infeasible := empty
	infeasible.Goal = Goal{Behind: []Box{}, DetectWithin: new(answer.Seconds(answertest.S(3))), SurviveLoss: 1, HZ: 250}
	infeasible.Reasons = []string{"too soon", "too much"}
	bare := empty
	bare.Feasible = true
	bare.Goal = Goal{Behind: []Box{{"lb", "a load balancer", answer.Seconds(answertest.S(350)), true}}, PathTimeout: new(answer.Seconds(answertest.S(90))), HZ: 250}
	bare.SetTCP(keepalive.Settings{Time: answertest.S(60), Intvl: answertest.S(10), Probes: 1}, calc.DefaultKernel(), 0)
	onlySSH := empty
	onlySSH.Feasible, onlySSH.TCPEndsAt = true, []string{"proxy"}
	onlySSH.Goal = Goal{Behind: []Box{{"proxy", "a proxy", answer.Seconds(answertest.S(60)), false}}, SSHPathTimeout: new(answer.Seconds(answertest.S(60))), SurviveLoss: 2, HZ: 250}
	onlySSH.SetSSH(calc.SSH{Interval: answertest.S(19), CountMax: 3})

	for name, d := range map[string]Document{"full": planned(), "infeasible": infeasible, "bare": bare, "only_ssh": onlySSH} {
		var table, doc bytes.Buffer
		if err := answer.Table(&table, d, answer.Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "plan_"+name+".txt", table.String())
		if err := answer.JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "plan_"+name+".json", doc.String())
	}
}
