package notice

import (
	"time"
	_ "time/tzdata" // a machine may have no time zones of its own

	"mooring/internal/hook"
)

// Countries are those whose holidays are known.
var Countries = []string{"NO", "SE", "DK", "FI"}

// day is a date of no time zone.
type day struct {
	year  int
	month time.Month
	day   int
}

func dayOf(t time.Time) day {
	y, m, d := t.Date()
	return day{y, m, d}
}

// at is an hour of the day in a time zone. An hour that summer time leaves out
// is the one after it.
func (d day) at(hour int, zone *time.Location) time.Time {
	return time.Date(d.year, d.month, d.day, hour, 0, 0, 0, zone)
}

// plus is so many days later.
func (d day) plus(days int) day {
	return dayOf(time.Date(d.year, d.month, d.day+days, 0, 0, 0, 0, time.UTC))
}

func (d day) weekday() time.Weekday { return d.at(0, time.UTC).Weekday() }

// onOrAfter is the first such weekday from a date on.
func onOrAfter(d day, w time.Weekday) day { return d.plus((int(w) - int(d.weekday()) + 7) % 7) }

// easter is Easter Sunday of a year in the Gregorian calendar, by the method
// of Meeus, Jones and Butcher.
func easter(year int) day {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	f := (b + 8) / 25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return day{year, time.Month(n / 31), n%31 + 1}
}

// Days counted from Easter Sunday.
const (
	maundyThursday = -3
	goodFriday     = -2
	easterMonday   = 1
	ascension      = 39
	whitMonday     = 50
)

// holidays say whether a date is one in a country: a public holiday, or an eve
// on which the country does not work either. Those that are always on a Saturday
// or a Sunday are not listed.
var holidays = map[string]func(day) bool{
	"NO": func(d day) bool {
		return d.on(1, time.May) || d.on(17, time.May) || d.keptByAll() ||
			d.afterEaster(maundyThursday, goodFriday, easterMonday, ascension, whitMonday)
	},
	"SE": func(d day) bool {
		return d.on(6, time.January) || d.on(1, time.May) || d.on(6, time.June) || d == midsummerEve(d.year) ||
			d.on(24, time.December) || d.keptByAll() || d.on(31, time.December) ||
			d.afterEaster(goodFriday, easterMonday, ascension)
	},
	"DK": func(d day) bool {
		return d.on(5, time.June) || d.on(24, time.December) || d.keptByAll() || d.on(31, time.December) ||
			d.afterEaster(maundyThursday, goodFriday, easterMonday, ascension, whitMonday)
	},
	"FI": func(d day) bool {
		return d.on(6, time.January) || d.on(1, time.May) || d == midsummerEve(d.year) || d.on(6, time.December) ||
			d.on(24, time.December) || d.keptByAll() || d.afterEaster(goodFriday, easterMonday, ascension)
	},
}

// keptByAll says whether it is a holiday in all of them: New Year's Day and two days of
// Christmas.
func (d day) keptByAll() bool {
	return d.on(1, time.January) || d.on(25, time.December) || d.on(26, time.December)
}

// midsummerEve is the Friday from 19 to 25 June.
func midsummerEve(year int) day { return onOrAfter(day{year, time.June, 19}, time.Friday) }

func (d day) on(number int, month time.Month) bool { return d.day == number && d.month == month }

func (d day) afterEaster(days ...int) bool {
	sunday := easter(d.year)
	for _, n := range days {
		if d == sunday.plus(n) {
			return true
		}
	}
	return false
}

// business says whether a date is a business day in a country; in none, each
// from Monday to Friday is.
func (d day) business(country string) bool {
	if w := d.weekday(); w == time.Saturday || w == time.Sunday {
		return false
	}
	isHoliday := holidays[country]
	return isHoliday == nil || !isHoliday(d)
}

// longestPause is more than the days between two business days of any country.
const longestPause = 14

// LastTime is when a digest was due last: at now, or before it. It is the zero
// time when its zone is not known, so that nothing is ever due.
func LastTime(d hook.Digest, now time.Time) time.Time {
	return digestTime(d, now, -1, func(at time.Time) bool { return !at.After(now) })
}

// NextTime is when it is due next, after now.
func NextTime(d hook.Digest, now time.Time) time.Time {
	return digestTime(d, now, 1, func(at time.Time) bool { return at.After(now) })
}

// digestTime looks for a business day from today on, in one direction.
func digestTime(d hook.Digest, now time.Time, step int, fits func(time.Time) bool) time.Time {
	zone, err := time.LoadLocation(d.Zone)
	if err != nil {
		return time.Time{}
	}
	on := dayOf(now.In(zone))
	for range longestPause {
		if at := on.at(d.Hour, zone); on.business(d.Country) && fits(at) {
			return at.UTC()
		}
		on = on.plus(step)
	}
	return time.Time{}
}
