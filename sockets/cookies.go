package sockets

// cookieSet is a set of socket cookies; 0, which is none, is in no set. The zero
// value is empty.
type cookieSet struct {
	slots []uint64
	n     int
}

// add reports whether c is new.
func (s *cookieSet) add(c uint64) bool {
	if c == 0 {
		return true
	}
	if s.n*4 >= len(s.slots)*3 {
		old := s.slots
		s.slots, s.n = make([]uint64, max(1024, 2*len(old))), 0
		for _, c := range old {
			s.add(c)
		}
	}
	slot := s.slot(c)
	if *slot == c {
		return false
	}
	*slot = c
	s.n++
	return true
}

func (s *cookieSet) has(c uint64) bool {
	return c != 0 && len(s.slots) > 0 && *s.slot(c) == c
}

// slot is where c is, or where it would go.
func (s *cookieSet) slot(c uint64) *uint64 {
	mask := uint64(len(s.slots) - 1)
	for i := c * 0x9e3779b97f4a7c15 >> 20; ; i++ {
		if slot := &s.slots[i&mask]; *slot == c || *slot == 0 {
			return slot
		}
	}
}

func (s *cookieSet) clear() {
	clear(s.slots)
	s.n = 0
}

// recentCookies knows the last [rememberCookies] cookies at least. The zero value
// is empty.
//
// Where the kernel goes on by cookie in a hash bucket that it left half read, and
// the socket to go on from has become a TIME-WAIT at the head of the bucket
// meanwhile, it gives the bucket again: not far apart, then. Source:
// net/ipv4/tcp_ipv4.c, bpf_iter_tcp_resume_bucket.
type recentCookies struct {
	now, before cookieSet
}

const rememberCookies = 4096

// add reports whether c is new.
func (r *recentCookies) add(c uint64) bool {
	if r.before.has(c) || !r.now.add(c) {
		return false
	}
	if r.now.n == rememberCookies {
		r.now, r.before = r.before, r.now
		r.now.clear()
	}
	return true
}
