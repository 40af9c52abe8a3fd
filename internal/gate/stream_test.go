package gate_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"mooring/internal/auth"
	"mooring/internal/fault"
	"mooring/internal/gate"
)

// open asks for the merchant's case and leaves the body to be read.
func (b *bench) open(t *testing.T, method string) *http.Response {
	t.Helper()
	ask, err := http.NewRequestWithContext(t.Context(), method, b.url+"/v1/accounts/T11223351/case", nil)
	if err != nil {
		t.Fatal(err)
	}
	ask.Header.Set("Authorization", "Bearer merchant")
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func TestAStreamIsSentInParts(t *testing.T) {
	b := newBench(t)
	goOn := make(chan struct{})
	b.does("case_get", func(context.Context, *gate.Call) (gate.Reply, error) {
		return gate.Reply{Type: "text/event-stream", Stream: func(_ context.Context, s *gate.Stream) error {
			if err := s.Send([]byte("first\n")); err != nil {
				return err
			}
			<-goOn
			return s.Send([]byte("second\n"))
		}}, nil
	})
	answer := b.open(t, http.MethodGet)
	body := bufio.NewReader(answer.Body)
	if line, err := body.ReadString('\n'); line != "first\n" || err != nil {
		t.Errorf("before the second part is there: %q, %v", line, err)
	}
	close(goOn)
	rest, err := io.ReadAll(body)
	if string(rest) != "second\n" || err != nil || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("then %q, %v, of type %s", rest, err, answer.Header.Get("Content-Type"))
	}
}

func TestTheHeadOfAStreamIsAllThatIsSent(t *testing.T) {
	b := newBench(t)
	sent := make(chan error, 1)
	b.does("case_get", func(context.Context, *gate.Call) (gate.Reply, error) {
		return gate.Reply{Stream: func(_ context.Context, s *gate.Stream) error {
			sent <- s.Send([]byte("x"))
			return nil
		}}, nil
	})
	b.open(t, http.MethodHead)
	if err := <-sent; !errors.Is(err, http.ErrBodyNotAllowed) {
		t.Errorf("sending a part gives %v", err)
	}
}

func TestAStreamThatPanicsIsLoggedAndEnds(t *testing.T) {
	b := newBench(t)
	b.does("case_get", func(context.Context, *gate.Call) (gate.Reply, error) {
		return gate.Reply{Stream: func(_ context.Context, s *gate.Stream) error {
			_ = s.Send([]byte("some"))
			panic("lost the thread")
		}}, nil
	})
	answer := b.open(t, http.MethodGet)
	if got, err := io.ReadAll(answer.Body); string(got) != "some" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if !strings.Contains(b.log.String(), "lost the thread") {
		t.Errorf("the log has no cause: %s", b.log.String())
	}
}

// Whatever takes long asks again who calls: a token that was taken away
// meanwhile is worth nothing.
func TestACallAsksAgainWhetherItMay(t *testing.T) {
	withdrawn := false
	b := newBench(t, func(c *gate.Config) {
		c.Verify = func(ctx context.Context, authorization []string) (caller auth.Caller, err error) {
			if withdrawn {
				return caller, fault.Denied(errors.New("it was taken away"))
			}
			return verify(ctx, authorization)
		}
	})
	b.does("case_get", func(_ context.Context, call *gate.Call) (gate.Reply, error) {
		if err := errors.Join(call.TakesLong(), call.StillAllowed()); err != nil {
			t.Error(err)
		}
		withdrawn = true
		return gate.Reply{}, call.StillAllowed()
	})
	if answer := b.open(t, http.MethodGet); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("the answer is %d", answer.StatusCode)
	}
}
