package notice

import (
	"slices"
	"testing"
	"time"

	"mooring/internal/hook"
)

func date(text string) day {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return dayOf(t)
}

func TestEasterIsWhereTheAlmanacHasIt(t *testing.T) {
	for _, want := range []string{
		"1818-03-22", "1943-04-25", "1961-04-02", "1981-04-19", "2000-04-23", "2008-03-23", "2011-04-24", "2019-04-21", "2024-03-31",
		"2025-04-20", "2026-04-05", "2027-03-28", "2028-04-16", "2029-04-01", "2030-04-21", "2035-03-25", "2038-04-25", "2076-04-19",
		"2285-03-22",
	} {
		if got := easter(date(want).year); got != date(want) {
			t.Errorf("Easter of %d is %v, want %s", date(want).year, got, want)
		}
	}
}

// The days from Monday to Friday that are no business days.
func TestHolidaysAreThoseOfTheCalendarsOfKnownYears(t *testing.T) {
	for _, test := range []struct {
		country string
		year    int
		want    []string
	}{
		{"NO", 2024, []string{"01-01", "03-28", "03-29", "04-01", "05-01", "05-09", "05-17", "05-20", "12-25", "12-26"}},
		{"NO", 2026, []string{"01-01", "04-02", "04-03", "04-06", "05-01", "05-14", "05-25", "12-25"}},
		{"NO", 2027, []string{"01-01", "03-25", "03-26", "03-29", "05-06", "05-17"}},
		{"SE", 2024, []string{"01-01", "03-29", "04-01", "05-01", "05-09", "06-06", "06-21", "12-24", "12-25", "12-26", "12-31"}},
		{"SE", 2026, []string{"01-01", "01-06", "04-03", "04-06", "05-01", "05-14", "06-19", "12-24", "12-25", "12-31"}},
		{"SE", 2027, []string{"01-01", "01-06", "03-26", "03-29", "05-06", "06-25", "12-24", "12-31"}},
		{"DK", 2024, []string{"01-01", "03-28", "03-29", "04-01", "05-09", "05-20", "06-05", "12-24", "12-25", "12-26", "12-31"}},
		{"DK", 2026, []string{"01-01", "04-02", "04-03", "04-06", "05-14", "05-25", "06-05", "12-24", "12-25", "12-31"}},
		{"FI", 2024, []string{"01-01", "03-29", "04-01", "05-01", "05-09", "06-21", "12-06", "12-24", "12-25", "12-26"}},
		{"FI", 2026, []string{"01-01", "01-06", "04-03", "04-06", "05-01", "05-14", "06-19", "12-24", "12-25"}},
		{"FI", 2028, []string{"01-06", "04-14", "04-17", "05-01", "05-25", "06-23", "12-06", "12-25", "12-26"}},
		{"", 2026, nil},
	} {
		var got []string
		for d := (day{test.year, time.January, 1}); d.year == test.year; d = d.plus(1) {
			if w := d.weekday(); w != time.Saturday && w != time.Sunday && !d.business(test.country) {
				got = append(got, d.at(0, time.UTC).Format("01-02"))
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s %d: %v, want %v", test.country, test.year, got, test.want)
		}
	}
}

func TestNoWeekendIsABusinessDay(t *testing.T) {
	for _, country := range append([]string{""}, Countries...) {
		for d := (day{2026, time.January, 1}); d.year < 2028; d = d.plus(1) {
			if w := d.weekday(); (w == time.Saturday || w == time.Sunday) && d.business(country) {
				t.Errorf("%v is a business day in %q", d, country)
			}
		}
	}
}

func TestADigestIsDueAtItsHourWhereItsReadersAre(t *testing.T) {
	oslo := hook.Digest{Hour: 8, Zone: "Europe/Oslo", Country: "NO"}
	for _, test := range []struct {
		name            string
		digest          hook.Digest
		now, last, next string
	}{
		{"before the hour", oslo, "2026-05-12T05:59:59Z", "2026-05-11T06:00:00Z", "2026-05-12T06:00:00Z"},
		{"at the hour", oslo, "2026-05-12T06:00:00Z", "2026-05-12T06:00:00Z", "2026-05-13T06:00:00Z"},
		{"over a weekend", oslo, "2026-11-21T12:00:00Z", "2026-11-20T07:00:00Z", "2026-11-23T07:00:00Z"},
		{"over Easter", oslo, "2026-04-01T12:00:00Z", "2026-04-01T06:00:00Z", "2026-04-07T06:00:00Z"},
		{"over the beginning of summer time", oslo, "2026-03-27T12:00:00Z", "2026-03-27T07:00:00Z", "2026-03-30T06:00:00Z"},
		{"over the end of summer time", oslo, "2026-10-23T12:00:00Z", "2026-10-23T06:00:00Z", "2026-10-26T07:00:00Z"},
		{"over midsummer", hook.Digest{Hour: 9, Zone: "Europe/Stockholm", Country: "SE"}, "2026-06-18T12:00:00Z", "2026-06-18T07:00:00Z", "2026-06-22T07:00:00Z"},
		{"over Christmas", hook.Digest{Hour: 0, Zone: "Europe/Helsinki", Country: "FI"}, "2026-12-23T12:00:00Z", "2026-12-22T22:00:00Z", "2026-12-27T22:00:00Z"},
		{"where the day is another", hook.Digest{Hour: 23, Zone: "America/Los_Angeles"}, "2026-05-12T05:00:00Z", "2026-05-09T06:00:00Z", "2026-05-12T06:00:00Z"},
	} {
		now, _ := time.Parse(time.RFC3339, test.now)
		if got := LastTime(test.digest, now).Format(time.RFC3339); got != test.last {
			t.Errorf("%s: last due %s, want %s", test.name, got, test.last)
		}
		if got := NextTime(test.digest, now).Format(time.RFC3339); got != test.next {
			t.Errorf("%s: next due %s, want %s", test.name, got, test.next)
		}
	}
}

func TestADigestIsDueOnceOnEachBusinessDay(t *testing.T) {
	for _, country := range append([]string{""}, Countries...) {
		d := hook.Digest{Hour: 2, Zone: "Europe/Copenhagen", Country: country} // an hour that summer time leaves out, and has twice
		zone, _ := time.LoadLocation(d.Zone)
		at := LastTime(d, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		for at.Year() < 2028 {
			next := NextTime(d, at)
			if !next.After(at) || LastTime(d, next) != next || LastTime(d, next.Add(-time.Microsecond)) != at {
				t.Fatalf("%s: %s is followed by %s", country, at, next)
			}
			for on := dayOf(at.In(zone)).plus(1); on != dayOf(next.In(zone)); on = on.plus(1) {
				if on.business(country) {
					t.Errorf("%s: nothing was due on %v", country, on)
				}
			}
			at = next
		}
	}
}

func TestWhatHasNoZoneIsNeverDue(t *testing.T) {
	d := hook.Digest{Hour: 8, Zone: "Europe/Atlantis"}
	if at := LastTime(d, time.Now()); !at.IsZero() {
		t.Errorf("it was due at %s", at)
	}
}
