package seed

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// land is a country that businesses are made up in.
type land struct {
	code, language, phone, top string
	forms                      []string // of companies
	places                     []place
	number                     func(*rand.Rand) string
}

type place struct{ code, name string }

// Shops are named after a place in nature, and what they sell.
var (
	nature = []string{
		"Fjell", "Havn", "Brygge", "Skog", "Nordlys", "Fjord", "Bølge", "Vinter", "Sommer", "Strand", "Bjørk", "Furu", "Lyng", "Måke",
		"Stein", "Elv", "Dal", "Sol", "Måne", "Stjerne", "Tåke", "Snø", "Rein", "Elg", "Ørn", "Laks", "Myr", "Vidde", "Bre", "Foss",
		"Kyst", "Øy", "Torv", "Mølle", "Låve", "Seter", "Granit", "Rav", "Hav", "Vind",
	}
	trades = []string{
		"Kaffe", "Bok", "Sykkel", "Blomster", "Bakeri", "Møbler", "Optikk", "Sport", "Musikk", "Leker", "Garn", "Keramikk", "Frisør",
		"Elektro", "Hage", "Te", "Fisk", "Ost", "Brus", "Papir", "Klær", "Sko", "Ur", "Gull", "Båt", "Ski", "Telt", "Kunst", "Foto", "Verktøy",
	}
	given = []string{
		"Ingrid", "Lars", "Astrid", "Nils", "Sigrid", "Erik", "Maja", "Olav", "Freja", "Jonas", "Aino", "Mikko", "Elsa", "Karl", "Signe",
		"Anders", "Liv", "Henrik", "Tuva", "Aksel", "Saga", "Emil", "Kaisa", "Rasmus",
	}
	family = []string{
		"Testdal", "Prøvestad", "Demovik", "Eksempelmo", "Testberg", "Provgren", "Testlund", "Kokeila", "Mallinen", "Prøvensen",
	}
)

var lands = []land{
	{"NO", "nb", "+47", "no", []string{"AS", "AS", "ANS", "DA"}, []place{
		{"0150", "Oslo"}, {"5003", "Bergen"}, {"7010", "Trondheim"}, {"4006", "Stavanger"}, {"9008", "Tromsø"}, {"8005", "Bodø"}, {"6002", "Ålesund"},
	}, norwegian},
	{"SE", "sv", "+46", "se", []string{"AB", "AB", "HB"}, []place{
		{"111 20", "Stockholm"}, {"411 05", "Göteborg"}, {"211 20", "Malmö"}, {"753 10", "Uppsala"}, {"903 26", "Umeå"},
	}, swedish},
	{"DK", "da", "+45", "dk", []string{"ApS", "A/S", "I/S"}, []place{
		{"1050", "København"}, {"8000", "Aarhus"}, {"5000", "Odense"}, {"9000", "Aalborg"},
	}, danish},
	{"FI", "fi", "+358", "fi", []string{"Oy", "Ky"}, []place{
		{"00100", "Helsinki"}, {"20100", "Turku"}, {"33100", "Tampere"}, {"90100", "Oulu"},
	}, finnish},
}

// pick takes one of a few.
func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

// weighted takes a number with the weight that stands at it.
func weighted(r *rand.Rand, weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := r.IntN(sum)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	return 0
}

// The numbers of companies have the form and the check digit that their country
// asks for, in ranges that no register gives out: Norwegian ones begin with 3, as
// those of synthetic test companies do, Danish and Finnish ones with 99, and
// Swedish ones with 00.

func norwegian(r *rand.Rand) string {
	return checked(r, 3, 7, "%07d", func(digits []int) (int, bool) { return mod11(digits, 3, 2, 7, 6, 5, 4, 3, 2) })
}

func danish(r *rand.Rand) string {
	return checked(r, 99, 5, "%05d", func(digits []int) (int, bool) { return mod11(digits, 2, 7, 6, 5, 4, 3, 2) })
}

func finnish(r *rand.Rand) string {
	text := checked(r, 99, 5, "%05d", func(digits []int) (int, bool) { return mod11(digits, 7, 9, 10, 5, 8, 4, 2) })
	return text[:7] + "-" + text[7:]
}

func swedish(r *rand.Rand) string {
	return checked(r, 0, 6, "02%06d", func(digits []int) (int, bool) {
		sum := 0
		for i, d := range digits {
			if i%2 == 0 {
				d *= 2
			}
			sum += d/10 + d%10
		}
		return (10 - sum%10) % 10, true
	})
}

// checked makes a number of a prefix, some digits and a check digit; it tries
// again when there is none for them.
func checked(r *rand.Rand, prefix, free int, form string, check func([]int) (int, bool)) string {
	most := 1
	for range free {
		most *= 10
	}
	for {
		text := fmt.Sprint(prefix) + fmt.Sprintf(form, r.IntN(most))
		digits := make([]int, len(text))
		for i := range text {
			digits[i] = int(text[i] - '0')
		}
		if digit, ok := check(digits); ok {
			return text + fmt.Sprint(digit)
		}
	}
}

func mod11(digits []int, weights ...int) (int, bool) {
	sum := 0
	for i, w := range weights {
		sum += w * digits[i]
	}
	digit := (11 - sum%11) % 11
	return digit, digit < 10
}

// plain is a name as it stands in an address.
func plain(name string) string {
	return strings.NewReplacer("æ", "ae", "ø", "o", "å", "a", "ö", "o", "ä", "a", " ", "-", "/", "").Replace(strings.ToLower(name))
}
