package connection

import "mooring/internal/provider"

// Standing is how one signup stands: its own status, which the events about it
// and about the whole connection give it.
type Standing struct {
	Signup Signup
	Status Status
	Since  int64 // number of the event that gave it
}

// Standings derives how each signup stands, oldest first. In the single model
// a signup that was replaced keeps the status that it had then. c must have
// been loaded whole.
func Standings(c *Connection, many bool) []Standing {
	all := make([]Standing, len(c.Signups))
	for i, s := range c.Signups {
		all[i] = Standing{Signup: s, Status: Pending}
	}
	known := 0 // how many signups the events so far know of
	for _, e := range c.Events {
		switch {
		case e.Signup == int64(known)+1 && known < len(all): // the event that came with the signup
			all[known].Since = e.Seq
			known++
		case e.Stale || e.remark():
		case e.Signup > 0 && e.Signup <= int64(known):
			all[e.Signup-1].stand(e)
		case e.Signup == 0 && many:
			for i := range all[:known] {
				all[i].stand(e)
			}
		case e.Signup == 0 && known > 0:
			all[known-1].stand(e)
		}
	}
	return all
}

func (s *Standing) stand(e Event) {
	if s.Status != e.Status {
		s.Status, s.Since = e.Status, e.Seq
	}
}

// statusAfter is the connection's status once e, the newest event, was added:
// that of e, unless the provider's file says that one enabled signup keeps the
// connection enabled.
func (c *Connection) statusAfter(e Event, rule provider.Rule) Status {
	if rule != provider.AnyEnabled || e.Signup == 0 || e.Status == Enabled {
		return e.Status
	}
	for _, s := range Standings(c, true) {
		if s.Status == Enabled {
			return Enabled
		}
	}
	return e.Status
}

// Reserved says whether the service alone tells of events of this name, so that
// a history can be believed.
func Reserved(name string) bool {
	return name == SignupReceived || name == SignupErased || name == CredentialExpiring || name == AccountClosed || name == Imported
}

// remark says whether the event only notes something, whatever the status.
func (e Event) remark() bool { return e.Name == SignupErased || e.Name == CredentialExpiring }
