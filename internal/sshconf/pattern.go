package sshconf

import (
	"net/netip"
	"strings"
)

// MatchPattern reports whether s matches a pattern in which * stands for anything
// and ? for one byte. Source: match.c, match_pattern.
func MatchPattern(s, pattern string) bool {
	// The last * seen, and what it stands for so far, are enough to go back to.
	star, mark, i, j := -1, 0, 0, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, mark = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == s[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[j:], "*") == ""
}

// matchList reports whether s matches a list of patterns with commas, none of
// them negated by an exclamation mark. Source: match.c, match_pattern_list.
func matchList(s, list string) bool {
	found := false
	for pattern := range strings.SplitSeq(list, ",") {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if MatchPattern(s, pattern) {
			if negated {
				return false
			}
			found = true
		}
	}
	return found
}

// matchHostname is matchList without regard to case. Source: match.c,
// match_hostname.
func matchHostname(s, list string) bool {
	return matchList(strings.ToLower(s), strings.ToLower(list))
}

// matchAddress is matchList for an address: an entry may be a network, such as
// 10.0.0.0/8. Source: addrmatch.c, addr_match_list.
func matchAddress(s, list string) truth {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return unsure
	}
	found := no
	for entry := range strings.SplitSeq(list, ",") {
		entry, negated := strings.CutPrefix(entry, "!")
		hit := MatchPattern(s, entry)
		if strings.Contains(entry, "/") {
			network, err := netip.ParsePrefix(entry)
			if err != nil || network.Masked() != network { // sshd refuses it
				return unsure
			}
			hit = network.Contains(addr)
		} else if same, err := netip.ParseAddr(entry); err == nil {
			hit = same == addr
		}
		if hit && negated {
			return no
		}
		if hit {
			found = yes
		}
	}
	return found
}

// Ignores reports whether an IgnoreUnknown has ssh pass over a keyword.
func Ignores(list, keyword string) bool { return matchHostname(keyword, list) }
