package store

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// victimVariable makes the test program write until it is killed.
const victimVariable = "MOORING_STORE_VICTIM"

func TestMain(m *testing.M) {
	if text := os.Getenv(victimVariable); text != "" {
		fmt.Fprintln(os.Stderr, runVictim(text))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim is what a killed process was told to write to.
type victim struct {
	DataDir, Database string
	Client            string // the partner's
	Round             int
}

// runVictim posts events from 64 writers and prints the number of each one
// that was acknowledged, until somebody kills the process.
func runVictim(text string) error {
	var v victim
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	s, err := Open(context.Background(), Config{DataDir: v.DataDir, Database: v.Database})
	if err != nil {
		return err
	}
	partner.Client = v.Client
	ctx := context.Background()
	key, err := s.DataKey(ctx, merchantID)
	if err != nil {
		return err
	}
	var (
		mu  sync.Mutex
		wg  sync.WaitGroup
		bad error
	)
	for w := range 64 {
		wg.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d.%d.%d", v.Round, w, i)
				_, err := s.Change(ctx, numbered(keyed(posting(enabled(name)), name, name), w%8))
				if err == nil && w%4 == 0 {
					name, err = completeOne(ctx, s, key, name)
				}
				mu.Lock()
				if err != nil {
					bad = err
					mu.Unlock()
					return
				}
				fmt.Println(name)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return bad
}

// completeOne signs up for a connection of its own, with a task to hand the
// signup over, and takes in the provider's callback about it.
func completeOne(ctx context.Context, s *Store, key DataKey, name string) (string, error) {
	provider := "complete-" + name
	var signup string
	start := also(signing(merchant), func(_ Found, d *Decision) {
		d.Connection.Provider = provider
		signup = d.Connection.Signups[0].ID
		task := taskOf(TaskSubmit, signup, noon)
		task.Provider = provider
		d.Tasks = []Task{task}
	})
	start.Provider, start.System = provider, true
	if _, err := s.Change(ctx, start); err != nil {
		return name, err
	}
	r := receivedOf(signup, key, name)
	r.Provider = provider
	if err := s.Receive(ctx, r); err != nil {
		return name, err
	}
	c := judging(r)
	c.Caller.Callback.Provider = provider
	_, err := s.Change(ctx, c)
	return name + completed, err
}

// completed is behind what a victim prints of a connection of its own.
const completed = " completed"

// A process that is killed in the middle of 64 writers has lost nothing that
// it acknowledged, and left every connection in the state of its last event.
func TestKilledProcessesLoseNothing(t *testing.T) {
	for engine, d := range doors {
		t.Run(engine, func(t *testing.T) {
			cfg := d(t)
			s := inhabit(t, openStore(t, cfg))
			ownKeyOf(t, s)
			for i := range 8 {
				mustChange(t, s, numbered(signing(merchant), i))
			}
			acknowledged := map[string]bool{}
			for round := range 5 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				killOne(t, victim{cfg.DataDir, cfg.Database, partner.Client, round}, acknowledged)
				s = openStore(t, cfg)
			}
			if len(acknowledged) < 5*64 {
				t.Errorf("only %d writes were acknowledged", len(acknowledged))
			}
			if engine == "postgres" {
				awaitServer(t, s)
			}
			wantHistory(t, s, acknowledged)
			wantTasksAndVerdicts(t, s, acknowledged)
		})
	}
}

// killOne lets a process write, kills it a moment after it acknowledged the
// first of every kind, and notes all that it acknowledged.
func killOne(t *testing.T, v victim, acknowledged map[string]bool) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasSuffix(lines.Text(), completed) {
			once.Do(func() {
				time.AfterFunc(time.Duration(20+rand.IntN(120))*time.Millisecond, func() { cmd.Process.Kill() })
			})
		}
		acknowledged[lines.Text()] = true
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the process ended by itself: %v", err)
	}
}

// awaitServer returns when the server has finished what the dead left behind.
func awaitServer(t *testing.T, s *Store) {
	t.Helper()
	busy := `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`
	for count(t, s, busy) > 0 { // each question takes a round trip
	}
}

// wantHistory holds that each acknowledged event is there once, that numbers
// are dense, that status follows the last event, and that exactly the events
// have an answer kept under their key.
func wantHistory(t *testing.T, s *Store, acknowledged map[string]bool) {
	t.Helper()
	seen := map[string]int{}
	for i := range 8 {
		c, err := s.Connection(context.Background(), merchant, merchantID, fmt.Sprint("provider-", i))
		if err != nil {
			t.Fatal(err)
		}
		for n, e := range c.Events {
			if e.Seq != int64(n+1) {
				t.Fatalf("event %d of connection %d has number %d", n+1, i, e.Seq)
			}
			seen[e.Name]++
		}
		if last := c.Events[len(c.Events)-1]; c.LastSeq != last.Seq || c.Status != last.Status {
			t.Errorf("connection %d stands at %d %s, its last event at %d %s", i, c.LastSeq, c.Status, last.Seq, last.Status)
		}
	}
	delete(seen, "signup_received")
	for name := range acknowledged {
		name, _ = strings.CutSuffix(name, completed)
		if seen[name] != 1 {
			t.Errorf("the acknowledged event %s is there %d times", name, seen[name])
		}
	}
	if answers := count(t, s, "SELECT count(*) FROM idempotency"); answers != len(seen) {
		t.Errorf("%d answers are kept for %d events", answers, len(seen))
	}
}

// wantTasksAndVerdicts holds that a signup of the victims has its task and a
// task its signup, that an applied call has its event and an event its call,
// and that all that was acknowledged is there.
func wantTasksAndVerdicts(t *testing.T, s *Store, acknowledged map[string]bool) {
	t.Helper()
	for what, query := range map[string]string{
		"signups without their task": `SELECT count(*) FROM signup AS s WHERE provider LIKE 'complete-%' AND 1 <> (
			SELECT count(*) FROM task AS t WHERE t.account = s.account AND t.provider = s.provider AND t.signup = s.id)`,
		"tasks without their signup": `SELECT count(*) FROM task AS t WHERE NOT EXISTS (
			SELECT 1 FROM signup AS s WHERE t.account = s.account AND t.provider = s.provider AND t.signup = s.id)`,
		"applied calls without their event": `SELECT count(*) FROM callback AS c WHERE state = 'applied' AND NOT EXISTS (
			SELECT 1 FROM event AS e WHERE e.account = c.account AND e.provider = c.provider AND e.seq = c.event AND e.name = 'called back')`,
		"events without their applied call": `SELECT count(*) FROM event AS e WHERE name = 'called back' AND 1 <> (
			SELECT count(*) FROM callback AS c WHERE c.account = e.account AND c.provider = e.provider AND c.event = e.seq)`,
	} {
		if n := count(t, s, query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
	complete := 0
	for name := range acknowledged {
		if name, ok := strings.CutSuffix(name, completed); ok {
			complete++
			calls, err := s.Inbox(context.Background(), merchant, Place{merchantID, "complete-" + name}, "", 2)
			if err != nil || len(calls) != 1 || calls[0].Verdict.State != VerdictApplied {
				t.Errorf("the acknowledged callback of %s is %+v, %v", name, calls, err)
			}
		}
	}
	if complete == 0 {
		t.Error("no callback was acknowledged")
	}
}
