package load

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func asking(_ *rand.Rand, buf []byte) []byte {
	return append(buf, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"...)
}

// TestAnAnswerIsLateFromWhenItsQuestionWasDue: a server that holds one answer
// back makes all that were due meanwhile late, whoever had to wait for whom.
func TestAnAnswerIsLateFromWhenItsQuestionWasDue(t *testing.T) {
	const held, rate = 200 * time.Millisecond, 1000
	var first atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if first.CompareAndSwap(false, true) {
			<-time.After(held)
		}
	}))
	defer s.Close()
	r, err := Open(t.Context(), s.Listener.Addr().String(), rate, 1, time.Second, asking)
	if err != nil {
		t.Fatal(err)
	}
	late := 0
	for _, took := range r.Good {
		if took > held/4 {
			late++
		}
	}
	if late < rate*int(held/4)/int(time.Second) {
		t.Errorf("%d of %d answers were late", late, len(r.Good))
	}
}

// TestRefusalsAreNoAnswers counts them apart from successes, and what is
// neither ends the run.
func TestRefusalsAreNoAnswers(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	addr := s.Listener.Addr().String()
	r, err := Times(t.Context(), addr, 4, 100, asking)
	if err != nil || len(r.Good) != 50 || len(r.Refused) != 50 {
		t.Errorf("%d good, %d refused, %v", len(r.Good), len(r.Refused), err)
	}
	broken := httptest.NewServer(http.NotFoundHandler())
	defer broken.Close()
	if _, err := Times(t.Context(), broken.Listener.Addr().String(), 4, 100, asking); err == nil {
		t.Error("answers of 404 went for good ones")
	}
}
