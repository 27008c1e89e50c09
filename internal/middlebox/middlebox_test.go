package middlebox

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// survey is the catalogue a second time, as numbers alone: one row for each of
// the 48 boxes that were looked up, with the seconds of those it became. A slip
// of the keyboard in one of the two shows.
var survey = []map[string]int{
	{"rfc5382": 7440},
	{"conntrack": 432000},
	{"openwrt": 7440},
	{"mikrotik": 86400},
	{"aws-nlb": 350},
	{"aws-nlb-tls": 350},
	{"aws-gwlb": 350},
	{"aws-nat": 350},
	{"aws-ec2-nitro6": 350},
	{"aws-ec2": 432000},
	{"aws-privatelink": 350},
	{"aws-firewall": 350},
	{"aws-alb": 60, "aws-clb": 60},
	{"aws-ga": 340},
	{"azure-lb": 240},
	{"azure-nat": 240},
	{"azure-firewall": 240},
	{"azure-firewall-east-west": 300},
	{"azure-vnet": 240},
	{"gcp-vpc": 600},
	{"gcp-nat": 1200},
	{"gcp-alb": 600},
	{"oci-nlb": 360},
	{"oci-lb-tcp": 300, "oci-lb-http": 60},
	{"digitalocean-lb": 60},
	{"cloudflare": 400, "cloudflare-origin": 900},
	{"ipvs": 900},
	{"kube-proxy": 86400},
	{"docker-swarm": 900},
	{"haproxy": 50},
	{"nginx-stream": 600},
	{"nginx-http": 75, "nginx-proxy": 60},
	{"envoy": 3600},
	{"istio": 3600},
	{"cisco-asa": 3600},
	{"cisco-ios-nat": 86400},
	{"juniper-srx": 1800},
	{"juniper-ms": 30},
	{"fortigate": 3600},
	{"paloalto": 3600},
	{"checkpoint": 3600},
	{"forcepoint": 1800},
	{"sonicwall": 900},
	{"pf": 86400},
	{"home-nat": 239},
	{"cisco-rv120w": 1800},
	{"mobile": 60},
	{"nokia-7750": 7440},
}

// asked is the same for what people name in their reports.
var asked = map[string]int{
	"docker-desktop": 300, "octavia": 50, "ovh-lb": 180, "kubelet": 4 * 3600, "cilium": 8000, "f5": 300,
	"huawei-elb": 300, "huawei-elb-http": 60, "ecs-service-connect": 3600, "ecs-service-connect-http": 300,
	"cloudfront": 600, "rds-proxy": 1800, "heroku": 55, "fly-io": 60, "kafka": 600, "mysql": 28800, "cosmosdb": 1800,
}

func TestTheCatalogueIsTheSurvey(t *testing.T) {
	if len(survey) != 48 {
		t.Errorf("%d rows, want 48", len(survey))
	}
	want := map[string]int{}
	for _, row := range append(survey, asked) {
		for name, seconds := range row {
			want[name] = seconds
		}
	}
	for _, b := range Boxes() {
		if seconds, ok := want[b.Name]; !ok || b.Idle != time.Duration(seconds)*time.Second {
			t.Errorf("%s: %v in the catalogue, %d s in the survey", b.Name, b.Idle, seconds)
		}
		delete(want, b.Name)
	}
	if len(want) > 0 {
		t.Errorf("in the survey, not in the catalogue: %v", want)
	}
}

func TestBoxesAreWellFormed(t *testing.T) {
	wellFormed := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	seen := map[string]string{}
	for _, b := range Boxes() {
		for _, name := range append([]string{b.Name}, b.Aliases...) {
			if !wellFormed.MatchString(name) || len(name) > 24 {
				t.Errorf("%s: %q is no name", b.Name, name)
			}
			if other, twice := seen[name]; twice {
				t.Errorf("%s and %s are both called %q", other, b.Name, name)
			}
			seen[name] = b.Name
		}
		if b.Title == "" || b.Source == "" {
			t.Errorf("%s: it lacks a title or a source", b.Name)
		}
		if strings.HasSuffix(b.Title, ".") || strings.Contains(b.Title+b.Source+b.Note+b.Setting, "  ") {
			t.Errorf("%s: its texts are not tidy", b.Name)
		}
		if b.Idle < 30*time.Second || b.Idle > 5*24*time.Hour || b.Idle%time.Second != 0 {
			t.Errorf("%s: idle %v is not to be believed", b.Name, b.Idle)
		}
		switch {
		case b.Min == 0 && b.Max == 0:
		case b.Min < time.Second || b.Min > b.Idle || b.Max < b.Idle || b.Min == b.Max:
			t.Errorf("%s: %v is not within %v to %v", b.Name, b.Idle, b.Min, b.Max)
		case b.Setting == "":
			t.Errorf("%s: a range, and nothing to set", b.Name)
		}
		if b.Fixed && (b.Setting != "" || b.Max != 0) {
			t.Errorf("%s: fixed, and yet it can be set", b.Name)
		}
		if !slices.Contains([]Expiry{Reset, Silent, Closed, Varies, Unknown}, b.OnExpiry) {
			t.Errorf("%s: on expiry %q", b.Name, b.OnExpiry)
		}
		if b.OnExpiry == Varies && b.Note == "" {
			t.Errorf("%s: nothing says how it varies", b.Name)
		}
		if b.Layer != L4 && b.Layer != L7 {
			t.Errorf("%s: layer %q", b.Name, b.Layer)
		}
		if b.Server && b.Layer != L7 {
			t.Errorf("%s: a server is where the connection ends", b.Name)
		}
		// What ends a connection can close it properly, and does.
		if (b.Layer == L7) != (b.OnExpiry == Closed) {
			t.Errorf("%s: layer %s, and on expiry %s", b.Name, b.Layer, b.OnExpiry)
		}
		if !slices.Contains([]Confidence{High, Medium, Low}, b.Confidence) {
			t.Errorf("%s: confidence %q", b.Name, b.Confidence)
		}
		if b.Confidence == Low && b.Note == "" && b.Setting == "" {
			t.Errorf("%s: low confidence, and no word about it", b.Name)
		}
	}
}

func TestBoxesAreTheCallersOwn(t *testing.T) {
	Boxes()[0].Aliases = []string{"spoilt"}
	Boxes()[0].Name = "spoilt"
	if b := Boxes()[0]; b.Name == "spoilt" || slices.Contains(b.Aliases, "spoilt") {
		t.Error("a caller can change the catalogue")
	}
}

func TestLookup(t *testing.T) {
	for _, name := range append(Names(), "AWS-NLB", "aws_nlb") {
		if _, err := Lookup(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for alias, name := range map[string]string{"nlb": "aws-nlb", "pfSense": "pf", "LVS": "ipvs", "asa": "cisco-asa", "aws-elb": "aws-clb"} {
		if b, err := Lookup(alias); err != nil || b.Name != name {
			t.Errorf("%s: got %q, %v, want %s", alias, b.Name, err, name)
		}
	}
}

func TestLookupOfAnUnknownName(t *testing.T) {
	for typed, want := range map[string][]string{
		"aws-nbl":   {"aws-nlb", "aws-nat", "aws-alb"},
		"conntrak":  {"conntrack"},
		"nginx":     {"nginx-http", "nginx-proxy", "nginx-stream"},
		"quagga99":  nil,
		"calico":    nil,
		"netscaler": nil,
		"pgbouncer": nil,
		"":          nil,
		"aws-nlb\n": {"aws-nlb"},
	} {
		_, err := Lookup(typed)
		unknown, ok := errors.AsType[*UnknownError](err)
		if !ok {
			t.Errorf("%q: got %v", typed, err)
			continue
		}
		if unknown.Name != typed {
			t.Errorf("%q: the error names %q", typed, unknown.Name)
		}
		for _, w := range want {
			if !slices.Contains(unknown.Near, w) {
				t.Errorf("%q: got %q, want %q among them", typed, unknown.Near, w)
			}
		}
		if want == nil && len(unknown.Near) > 0 {
			t.Errorf("%q: got %q, want nothing", typed, unknown.Near)
		}
	}
}
