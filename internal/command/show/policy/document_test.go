package policy

import (
	"bytes"
	"testing"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
)

func TestPolicies(t *testing.T) {
	pool := Policy{
		Name: "pool", Match: Match{Units: []string{"db.service"}, Cgroups: []string{}, Remote: []string{"10.0.0.0/8"}, Ports: []uint16{5432}}, Mode: "if_off",
		Time: new(300), Intvl: new(30), Probes: new(3), Detection: new(answer.Seconds(answertest.S(390))),
		Connections: Connections{Seen: 41, Given: 40, Left: 1}, InForce: true, Matching: []string{"/system.slice/db.service"},
		Words: "--unit db.service --remote 10.0.0.0/8 --port 5432 --time 300 --intvl 30 --probes 3 --if-off",
	}
	other := Policy{
		Name: "other", Match: Match{Units: []string{}, Cgroups: []string{"a\x1b[2J*"}, Remote: []string{}, Ports: []uint16{}}, Mode: "force",
		UserTimeout: new(390000), WhyNot: new("the kernel does not apply them"), Matching: []string{}, Words: "--cgroup 'a\x1b[2J*' --user-timeout 390000ms --force",
	}
	for name, d := range map[string]Document{
		"some":    {Schema: "tcpka/policy/v1", Loaded: new(true), Policies: []Policy{pool, other}},
		"none":    {Schema: "tcpka/policy/v1", Loaded: new(false), Policies: []Policy{}},
		"unknown": {Schema: "tcpka/policy/v1", Policies: []Policy{}},
	} {
		var table, doc bytes.Buffer
		if err := answer.Table(&table, d, answer.Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		if err := answer.JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "policy_"+name+".txt", table.String())
		answertest.Golden(t, "policy_"+name+".json", doc.String())
	}
}
