package connection

import (
	"strconv"

	"github.com/tcpka/tcpka/internal/answer"
)

// AppendSocketJSON appends a socket as encoding/json would write it, without its
// allocations.
func AppendSocketJSON(b []byte, s *Socket) []byte {
	b = answer.AppendString(append(b, `{"netns":`...), s.Netns)
	b = answer.AppendString(append(b, `,"state":`...), s.State)
	b = append(s.Local.AppendTo(append(b, `,"local":"`...)), '"')
	b = append(s.Remote.AppendTo(append(b, `,"remote":"`...)), '"')
	if len(s.Owners) == 0 {
		b = append(b, `,"pid":null,"comm":null,"fd":null,"owners":[]`...)
	} else {
		b = appendOwner(append(b, ','), s.Owners[0])
		b = append(b, `,"owners":[`...)
		for i, o := range s.Owners {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendOwner(append(b, '{'), o)
			if o.Ring {
				b = append(b, `,"io_uring":true`...)
			}
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	b = strconv.AppendUint(append(b, `,"uid":`...), uint64(s.UID), 10)
	b = answer.AppendInt(append(b, `,"inode":`...), int64(s.Inode), s.Inode != 0)
	b = append(strconv.AppendUint(append(b, `,"cookie":"0x`...), s.Cookie, 16), '"')
	b = answer.AppendStringOrNull(append(b, `,"cgroup":`...), s.Cgroup)

	b = append(b, `,"keepalive":`...)
	b = append(b, [...]string{"null", "false", "true"}[s.Keepalive]...)
	b = answer.AppendDuration(append(b, `,"time_seconds":`...), s.Time, s.ValuesKnown)
	b = answer.AppendDuration(append(b, `,"intvl_seconds":`...), s.Intvl, s.ValuesKnown)
	b = answer.AppendInt(append(b, `,"probes":`...), int64(s.Probes), s.ValuesKnown)
	b = answer.AppendInt(append(b, `,"user_timeout_ms":`...), s.UserTimeout.Milliseconds(), s.UserTimeoutKnown)
	if s.Units != "" {
		b = answer.AppendString(append(b, `,"unit_mistake":`...), s.Units)
	}
	b = answer.AppendStringOrNull(append(b, `,"origin":{"time":`...), s.Origin[0])
	b = answer.AppendStringOrNull(append(b, `,"intvl":`...), s.Origin[1])
	b = answer.AppendStringOrNull(append(b, `,"probes":`...), s.Origin[2])

	b = answer.AppendString(append(b, `},"timer":`...), s.Timer)
	b = answer.AppendDuration(append(b, `,"timer_seconds":`...), s.Left, s.LeftKnown)
	n, ok := s.Unheard()
	b = answer.AppendInt(append(b, `,"unanswered_probes":`...), int64(n), ok)
	b = answer.AppendInt(append(b, `,"retransmits":`...), int64(s.Unanswered), s.Timer == TimerRetransmit)
	b = answer.AppendDuration(append(b, `,"idle_seconds":`...), s.Idle, s.IdleKnown)
	b = answer.AppendDuration(append(b, `,"last_data_seconds":`...), s.LastData, s.IdleKnown)
	b = answer.AppendDuration(append(b, `,"next_probe_seconds":`...), s.Next, s.NextKnown)
	b = answer.AppendDuration(append(b, `,"detection_seconds":`...), s.Detection, s.DetectionKnown)
	b = answer.AppendDuration(append(b, `,"dies_in_seconds":`...), s.Dies.Exact, s.Dies.Known)
	b = answer.AppendDuration(append(b, `,"dies_in_earliest_seconds":`...), s.Dies.Earliest, s.Dies.Known)
	b = answer.AppendDuration(append(b, `,"dies_in_latest_seconds":`...), s.Dies.Latest, s.Dies.Known)
	b = answer.AppendStringOrNull(append(b, `,"decided_by":`...), s.Dies.By)
	b = append(append(b, `,"old_timer":`...), [...]string{"null", "false", "true"}[s.OldTimer]...)
	b = append(append(b, `,"drops_healthy":`...), [...]string{"null", "false", "true"}[s.Drops]...)
	return append(b, '}')
}

func appendOwner(b []byte, o SocketOwner) []byte {
	b = strconv.AppendInt(append(b, `"pid":`...), int64(o.PID), 10)
	b = answer.AppendString(append(b, `,"comm":`...), o.Comm)
	return strconv.AppendInt(append(b, `,"fd":`...), int64(o.FD), 10)
}
