package netns

import (
	"cmp"
	"slices"
)

// List returns every network namespace that can be found, each once: the current
// one first, then by name. Those that may not be entered are among them; entering
// is what fails. An ordinary user finds those of his own processes, and mounts.
//
// Equivalent to: lsns -t net, and ip netns list
func List() ([]Namespace, error) {
	s, err := gather()
	if err != nil {
		return nil, err
	}
	all := s.finish()
	sortNamespaces(all)
	return all, nil
}

// sortNamespaces puts them in the order of [List].
func sortNamespaces(all []Namespace) {
	slices.SortFunc(all, func(a, b Namespace) int {
		if a.Current != b.Current {
			if a.Current {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
}
