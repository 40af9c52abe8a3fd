package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const body = `{"account_id":"T11223352","event":"account_connection_update","event_delivery":"d","connection":{"connection":"vipps","status":"enabled"}}`

// signed is a message as Standard Webhooks has it.
func signed(id, body string, key []byte, at time.Time) *http.Request {
	q := httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader(body))
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "." + body))
	q.Header.Set("webhook-id", id)
	q.Header.Set("webhook-timestamp", stamp)
	q.Header.Set("webhook-signature", "v1a,other v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return q
}

func TestAnEventIsActedOnOnceAndOnlyWhenItIsGenuine(t *testing.T) {
	before, now := []byte("the secret of before"), []byte("the secret of now")
	file := filepath.Join(t.TempDir(), "secret")
	text := "whsec_" + base64.StdEncoding.EncodeToString(now) + "\nwhsec_" + base64.StdEncoding.EncodeToString(before) + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := readKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	var acted []message
	r := &receiver{keys: keys, done: map[string]bool{}, act: func(m message) { acted = append(acted, m) }}
	tampered := signed("e3", body, now, time.Now())
	tampered.Body = http.NoBody
	unsigned := signed("e3", body, now, time.Now())
	unsigned.Header.Del("webhook-signature")
	renamed := signed("e3", body, now, time.Now())
	renamed.Header.Set("webhook-id", "e4")
	for _, call := range []struct {
		name   string
		q      *http.Request
		status int
	}{
		{"a message", signed("e1", body, now, time.Now()), 204},
		{"the same again", signed("e1", body, now, time.Now()), 204},
		{"one signed with the secret of before", signed("e2", body, before, time.Now()), 204},
		{"one signed with another secret", signed("e3", body, []byte("other"), time.Now()), 401},
		{"one recorded an hour ago", signed("e3", body, now, time.Now().Add(-time.Hour)), 401},
		{"one from tomorrow", signed("e3", body, now, time.Now().Add(24*time.Hour)), 401},
		{"another body", tampered, 401},
		{"another id", renamed, 401},
		{"no signature", unsigned, 401},
		{"nothing of all that", httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader(body)), 401},
		{"no JSON", signed("e5", "{", now, time.Now()), 400},
		{"too much", signed("e6", strings.Repeat(" ", maxBody+1), now, time.Now()), 400},
	} {
		answer := httptest.NewRecorder()
		r.hook(answer, call.q)
		if answer.Code != call.status {
			t.Errorf("%s: %d %s", call.name, answer.Code, answer.Body)
		}
	}
	if len(acted) != 2 || acted[0].Connection.Status != "enabled" {
		t.Errorf("acted on %+v", acted)
	}
}

func TestASecretThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{"", "whsec_\n", "whsec_!\n"} {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readKeys(file); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
