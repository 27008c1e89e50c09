package nearest

import (
	"slices"
	"testing"
)

func TestNames(t *testing.T) {
	names := []string{"aws-nlb", "aws-nat", "aws-alb", "azure-lb", "azure-nat", "gcp-vpc", "gcp-nat", "conntrack", "cisco-asa", "pf"}
	for _, c := range []struct {
		what, typed string
		want        []string
	}{
		{"a letter too many", "conntrackk", []string{"conntrack"}},
		{"two letters swapped", "cosco-asa", []string{"cisco-asa"}},
		{"swapped neighbours count once", "aws-nbl", []string{"aws-nlb", "aws-nat", "aws-alb"}},
		{"other separators and capitals", "AWS_NLB", []string{"aws-nlb", "aws-alb", "aws-nat"}},
		{"a part of several names", "nat", []string{"aws-nat", "gcp-nat", "azure-nat"}},
		{"a word of a name", "aws-elb", []string{"aws-nlb", "aws-alb", "aws-nat"}},
		{"nothing like it", "qqqqqq", nil},
		{"nothing at all", "", nil},
	} {
		if got := Names(c.typed, names); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q: got %q, want %q", c.what, c.typed, got, c.want)
		}
	}
}

func TestNamesAreFew(t *testing.T) {
	names := []string{"a1", "a2", "a3", "a4", "a5", "a6", "a7"}
	if got := Names("a", names); len(got) != most {
		t.Errorf("got %q, want %d of them", got, most)
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"abc", "abd", 1}, {"abc", "acb", 1}, {"abc", "xabc", 1}, {"kitten", "sitting", 3}, {"ä", "a", 1},
	} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestPrograms(t *testing.T) {
	names := []string{"mysql", "psql", "golang", "putty", "kube-proxy", "nginx", "ingress-nginx", "aws-nlb", "aws-nat", "ruby", "rust", "cri-o"}
	for typed, want := range map[string][]string{
		"ngnix": {"nginx"}, "nginx": {"nginx", "ingress-nginx"}, "aws-nbl": {"aws-nlb", "aws-nat"}, "kube": {"kube-proxy"}, "kubeproxy": {"kube-proxy"},
		"mssql": {"mysql"}, "npgsql": nil, "erlang": nil, "netty": nil, "rds-proxy": nil, "gin": nil, "rest": nil, "cri-dockerd": nil, "": nil,
	} {
		if got := Programs(typed, names); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
