package netns

import (
	"fmt"
	"path"
	"strings"
)

// shortID is how many digits of a container's ID make its short form, as the
// container runtimes print it.
const shortID = 12

// names names the entries, each differently: see [Namespace.Name]. Every kind of
// name goes round all entries before the next, so that the better claim to a
// name wins.
func (s *survey) names() []string {
	names := make([]string, len(s.entries))
	taken := map[string]bool{"all": true, "host": true, "current": true}
	give := func(i int, name string) {
		if names[i] == "" && usable(name) && !taken[name] {
			names[i] = name
			taken[name] = true
		}
	}
	for i, e := range s.entries {
		if e.id == s.host {
			names[i] = "host"
		}
	}
	for r := range ranks {
		for i, e := range s.entries {
			for _, m := range e.mounts {
				if rank(m) == r {
					give(i, path.Base(m))
				}
			}
		}
	}
	for i, e := range s.entries {
		give(i, shortContainer(e.container))
	}
	for i, e := range s.entries {
		switch {
		case names[i] != "":
		case e.id == s.current:
			names[i] = "current"
		case e.comm != "":
			give(i, fmt.Sprintf("%s:%d", e.comm, e.pid))
		}
	}
	for i, e := range s.entries {
		if names[i] == "" {
			names[i] = s.path(e)
		}
	}
	return names
}

// usable reports whether [Find] would take name for a name.
func usable(name string) bool {
	return name != "" && !isPID(name) && !isPath(name)
}

func isPath(spec string) bool { return strings.Contains(spec, "/") }

func isPID(spec string) bool { return spec != "" && strings.Trim(spec, "0123456789") == "" }

// ranks is how many values rank has.
const ranks = 2

// rank says how good a name a mount point makes: 0 is best. What lies in
// /run/netns was named by someone, see ip-netns(8); elsewhere runtimes count.
func rank(mountPoint string) int {
	switch path.Dir(mountPoint) {
	case "/run/netns", "/var/run/netns":
		return 0
	}
	return 1
}

// shortContainer shortens an ID; a name stays.
func shortContainer(container string) string {
	if isContainerID(container) {
		return container[:shortID]
	}
	return container
}
