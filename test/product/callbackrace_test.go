package product

import (
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"

	"mooring/test/drive"
)

// TestOneOfManyCallbacksWins makes the call that completes a signup many times
// at the same moment: with different bodies exactly one is taken and the
// others are told that the connection is enabled; with the same body one is
// taken and the others repeat it.
func TestOneOfManyCallbacksWins(t *testing.T) {
	onBothEngines(t, func(t *testing.T, args ...string) {
		s := dev(t, append(args, "--listen", "127.0.0.1:0")...)
		held := tokens(t, s)
		for _, d := range descriptions(t) {
			if d.Callback == nil {
				continue
			}
			t.Run(d.Slug+", different bodies", func(t *testing.T) {
				l := newLife(t, d, s, held)
				outcomes := l.race(func(i int) []byte { return l.variant(d.Examples.Callback.Valid[0].Body, i) })
				l.demand("outcomes", map[string]int{"applied": 1, "CONNECTION_ENABLED": racers - 1}, outcomes)
				b := &badInput{l, 0}
				l.demand("the inbox", map[string]int{"applied": 1, "refused": racers - 1}, b.inbox())
			})
			t.Run(d.Slug+", one body", func(t *testing.T) {
				l := newLife(t, d, s, held)
				l.account, l.tokens["merchant"] = s.SecondAccount, held["second"]
				outcomes := l.race(func(int) []byte { return text(d.Examples.Callback.Valid[0].Body) })
				l.demand("outcomes", map[string]int{"applied": 1, "duplicate": racers - 1}, outcomes)
			})
		}
	})
}

const racers = 64

// race signs up, makes the calls, and counts what became of them.
func (l *life) race(body func(int) []byte) map[string]int {
	var signup map[string]any
	if l.request() != nil {
		signup = l.Examples.Valid[0].Signup
	}
	l.call("merchant", l.method(), l.base(l.account), l.bodies()[0], http.StatusOK)
	c := l.completion(signup)
	outcomes, before := map[string]int{}, len(l.read()["events"].([]any))
	var mu sync.Mutex
	var callers sync.WaitGroup
	for i := range racers {
		callers.Go(func() {
			answer, err := l.client.Do(http.MethodPost, c.target, bearer(c.token), body(i))
			mu.Lock()
			defer mu.Unlock()
			outcomes[l.outcome(answer, err)]++
		})
	}
	callers.Wait()
	after := l.read()
	l.demand("status", "enabled", after["status"])
	l.demand("events", before+1, len(after["events"].([]any)))
	return outcomes
}

// outcome is what a call's answer says that it did.
func (l *life) outcome(answer drive.Answer, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case answer.Status == http.StatusBadRequest:
		return fmt.Sprint(code(l.t, answer))
	case answer.Status != l.Operations["callback"].Success:
		return fmt.Sprint(answer.Status)
	}
	return answer.Header.Get("Mooring-Effect")
}

// variant is a callback's body that says something of its own.
func (l *life) variant(body map[string]any, i int) []byte {
	other := maps.Clone(body)
	properties := l.Versions[fmt.Sprint(l.Schema)].Callback["properties"].(map[string]any)
	for name, member := range other {
		schema := properties[name].(map[string]any)
		if s, ok := member.(string); ok && shows(schema) == open && schema["format"] == nil {
			other[name] = s + fmt.Sprint(i)
		}
	}
	return text(other)
}
