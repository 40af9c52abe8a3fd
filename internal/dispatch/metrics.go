package dispatch

import (
	"mooring/internal/hook"
	"mooring/internal/telemetry"
)

// counter and gauge are what of a metric is needed here.
type (
	counter interface{ Inc() }
	gauge   interface{ Set(value float64) }
)

type metrics struct {
	taken, failed, silent, refused, dead, relay counter
	flying, shards                              gauge
}

func newMetrics(m *telemetry.Metrics) metrics {
	attempts := func(outcome string) counter {
		return m.CounterOf("mooring_hook_attempts_total", "Attempts to tell subscriptions, by what came of them.", "outcome", outcome)
	}
	return metrics{
		taken: attempts("taken"), failed: attempts("failed"), silent: attempts("unanswered"),
		refused: m.Counter("mooring_hook_withheld_total", "Messages that were not sent, because who subscribed may not be told any more."),
		dead:    m.Counter("mooring_hook_dead_total", "Deliveries that were given up."),
		relay:   m.Counter("mooring_mail_relay_failures_total", "Attempts at letters that wait, because the mail relay could not be reached or took no login."),
		flying:  m.Gauge("mooring_hook_attempts_under_way", "Attempts under way on this node."),
		shards:  m.Gauge("mooring_hook_shards", "Parts of all subscriptions that this node tells, of 64."),
	}
}

func (m *metrics) sent(r hook.Result) {
	if r.Ours {
		m.relay.Inc()
	}
	switch {
	case r.OK():
		m.taken.Inc()
	case r.Status != 0:
		m.failed.Inc()
	default:
		m.silent.Inc()
	}
}
