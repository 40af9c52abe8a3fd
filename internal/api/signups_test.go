package api

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mooring/internal/account"
	"mooring/internal/connection"
	"mooring/internal/provider"
)

func TestTimesAreReadAsRFC3339SaysThem(t *testing.T) {
	for text, want := range map[string]time.Time{
		"":                                  {},
		"2026-05-12T09:30:00Z":              time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC),
		"2026-05-12t11:30:00+02:00":         time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC),
		"2026-05-12T09:30:00.123456789z":    time.Date(2026, 5, 12, 9, 30, 0, 123_456_000, time.UTC),
		"2016-12-31T23:59:60Z":              time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC),
		"2016-12-31T23:59:60.5Z":            time.Date(2017, 1, 1, 0, 0, 0, 500_000_000, time.UTC),
		"0001-01-01T00:00:00Z":              time.Date(1, 1, 1, 0, 0, 0, 1_000, time.UTC), // said, so not the zero Time
		"0001-01-01T01:00:00.0000001+01:00": time.Date(1, 1, 1, 0, 0, 0, 1_000, time.UTC),
		"1969-12-31T23:59:59.999999-00:00":  time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	} {
		if got, err := parseTime("occurred_at", text); err != nil || !got.Equal(want) {
			t.Errorf("%q is read as %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "2026-05-12", "2026-05-12T09:30:61Z", "2026-02-30T09:30:00Z", "2026-05-12T09:30:00", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00"} {
		if got, err := parseTime("occurred_at", text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestEqualSignupsAreEqualBytes(t *testing.T) {
	one, err := canonical([]byte("{ \"b\": [1.50, 1e2], \"a\": \"\\u00e9\" }"))
	if err != nil || string(one) != `{"a":"é","b":[1.50,1e2]}` {
		t.Errorf("%s, %v", one, err)
	}
	if none, err := canonical(nil); err != nil || string(none) != `{}` {
		t.Errorf("%s, %v", none, err)
	}
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"2026-05-12T09:30:00Z", "2016-12-31T23:59:60Z", "0001-01-01T00:00:00Z", "", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseTime("occurred_at", text)
		if err == nil && got.IsZero() != (text == "") {
			t.Errorf("%q is read as %v", text, got)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`{"b":1,"a":[{}]}`, `{}`, `{"a":1e400}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := canonical(data)
		if err != nil {
			return
		}
		if twice, err := canonical(once); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s becomes %s becomes %s, %v", data, once, twice, err)
		}
	})
}

func TestTheMerchantIsToldHowTheSignupStands(t *testing.T) {
	now := time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC)
	o := operations{Deps: Deps{Now: func() time.Time { return now }}}
	for name, test := range map[string]struct {
		status connection.Status
		seq    int64
		many   bool
		life   time.Duration
		says   string
	}{
		"on its way":                 {connection.Pending, 2, false, time.Hour, "being processed"},
		"done":                       {connection.Enabled, 2, false, -time.Hour, "ready to use"},
		"refused":                    {connection.Declined, 2, false, time.Hour, "declined"},
		"failed":                     {connection.Failed, 2, false, time.Hour, "could not be completed"},
		"expired":                    {connection.Pending, 2, false, time.Minute, "expired"},
		"replaced":                   {connection.Enabled, 1, false, time.Hour, "replaced"},
		"an older one of many":       {connection.Pending, 1, true, time.Hour, "being processed"},
		"an older one of many, dead": {connection.Pending, 1, true, time.Minute, "expired"},
	} {
		c := &connection.Connection{Status: test.status, LastSignup: 2}
		signup := connection.Signup{Seq: test.seq, ExpiresAt: now.Add(test.life)}
		p := &provider.Provider{Signup: provider.Signup{Many: test.many}}
		acc := account.Account{Ahead: time.Minute} // links die by the account's own time
		if got := o.sentence(found{c, signup, acc, p}); !strings.Contains(got, test.says) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
