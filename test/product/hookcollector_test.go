package product

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring/test/drive"
)

// hookCollector is a receiver that keeps every header and body that comes, and
// that everybody has subscribed for everything.
type hookCollector struct {
	t        *testing.T
	client   *drive.Client
	targets  []string // of the subscriptions
	tokens   map[string]string
	secrets  []string // of the subscriptions, as their makers were told
	came     chan struct{}
	mu       sync.Mutex
	messages []byte
	heard    map[string]bool // the account in whose name it was sent, and the entry
}

// subscribers are who subscribes, and for which account.
func subscribers(s *drive.Server) map[string]string {
	return map[string]string{"platform": "T00000000", "partner": s.PartnerAccount, "merchant": s.Account}
}

func newHookCollector(t *testing.T, s *drive.Server, held map[string]string) *hookCollector {
	t.Helper()
	h := &hookCollector{
		t: t, client: drive.NewClient(s.BaseURL), tokens: map[string]string{}, came: make(chan struct{}, 1), heard: map[string]bool{},
	}
	before, err := h.client.Do(http.MethodGet, "/v1/accounts/T00000000/feed?limit=1000", bearer(held["platform"]), nil)
	if err != nil || before.Status != http.StatusOK {
		t.Fatalf("the feed: %d, %v", before.Status, err)
	}
	for _, id := range connectionEntries(t, before.Body) { // from before anybody subscribed
		h.heard["T00000000 "+id] = true
	}
	receiver := httptest.NewServer(h)
	t.Cleanup(receiver.Close)
	for who, account := range subscribers(s) {
		target := "/v1/accounts/" + account + "/hooks/subscriptions"
		body := fmt.Appendf(nil, `{"config":{"url":%q},"events":["account_add","account_update","cdd_case_update","account_connection_update"]}`,
			receiver.URL+"/"+account)
		answer, err := h.client.Do(http.MethodPost, target, bearer(held[who]), body)
		if err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%s: %d, %v: %s", target, answer.Status, err, answer.Body)
		}
		made := decode[struct {
			ID     string
			Secret string `json:"webhook_secret"`
		}](t, answer)
		if len(made.Secret) < 32 {
			t.Fatalf("the secret of a hook is %q", made.Secret)
		}
		target += "/" + made.ID
		h.targets, h.tokens[target] = append(h.targets, target), held[who]
		h.secrets = append(h.secrets, strings.TrimPrefix(made.Secret, "whsec_"))
	}
	return h
}

func (h *hookCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var message bytes.Buffer
	if err := r.Write(&message); err != nil {
		return
	}
	h.mu.Lock()
	h.messages = append(h.messages, message.Bytes()...)
	h.heard[strings.TrimPrefix(r.URL.Path, "/")+" "+r.Header.Get("webhook-id")] = true
	h.mu.Unlock()
	// What a receiver echoes is kept, and must not bring anything back.
	fmt.Fprint(w, "taken")
	select {
	case h.came <- struct{}{}:
	default:
	}
}

// await returns when the platform was told of each event of a connection in its
// feed.
func (h *hookCollector) await(feed []byte) {
	h.t.Helper()
	late := time.After(drive.Patience)
	for _, id := range connectionEntries(h.t, feed) {
		for !h.has("T00000000 " + id) {
			select {
			case <-h.came:
			case <-late:
				h.t.Fatalf("%s was told to no hook", id)
			}
		}
	}
}

// connectionEntries are the events of connections in a page of a feed.
func connectionEntries(t *testing.T, feed []byte) (ids []string) {
	t.Helper()
	var page struct{ Items []struct{ ID, Event string } }
	if err := json.Unmarshal(feed, &page); err != nil {
		t.Fatal(err)
	}
	for _, item := range page.Items {
		if item.Event == "account_connection_update" {
			ids = append(ids, item.ID)
		}
	}
	return ids
}

func (h *hookCollector) has(what string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.heard[what]
}

func (h *hookCollector) all() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.messages)
}

// details are the deliveries as their subscribers see them.
func (h *hookCollector) details() map[string][]byte {
	h.t.Helper()
	found := map[string][]byte{}
	for _, target := range h.targets {
		for _, place := range []string{target, target + "/deliveries?limit=100"} {
			found[place] = h.read(target, place)
		}
		var listed []struct{ ID string }
		if err := json.Unmarshal(found[target+"/deliveries?limit=100"], &listed); err != nil || len(listed) < 2 {
			h.t.Fatalf("%s: %d deliveries, %v", target, len(listed), err)
		}
		for _, one := range listed {
			place := target + "/deliveries/" + one.ID
			found[place] = h.read(target, place)
			if !bytes.Contains(found[place], []byte(`"body"`)) {
				h.t.Errorf("%s shows no body: %s", place, found[place])
			}
		}
	}
	return found
}

func (h *hookCollector) read(target, place string) []byte {
	h.t.Helper()
	answer, err := h.client.Do(http.MethodGet, place, bearer(h.tokens[target]), nil)
	if err != nil || answer.Status != http.StatusOK {
		h.t.Fatalf("%s: %d, %v: %s", place, answer.Status, err, answer.Body)
	}
	return answer.Body
}
