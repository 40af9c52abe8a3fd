package seed

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"mooring/internal/provider"
	"mooring/providers"
)

func population(t *testing.T, seed uint64) people {
	t.Helper()
	catalogue, err := provider.Load(providers.FS)
	if err != nil {
		t.Fatal(err)
	}
	return people{
		Seeder: Seeder{Catalogue: catalogue}, seed: seed, today: time.Date(2026, 5, 12, 9, 30, 0, 0, time.UTC), atDev: 300, others: 3,
	}
}

func TestASeedMakesTheSamePeopleAndAnotherOthers(t *testing.T) {
	one, same, other := population(t, 1), population(t, 1), population(t, 2)
	for _, n := range []int{0, 7, 299, 300, 599} {
		a, _ := json.Marshal(one.merchant(n))
		b, _ := json.Marshal(same.merchant(n))
		c, _ := json.Marshal(other.merchant(n))
		if string(a) != string(b) || string(a) == string(c) {
			t.Errorf("merchant %d is\n%s\nthen\n%s\nand with another seed\n%s", n, a, b, c)
		}
	}
}

func TestAPopulationHasSomethingOfEverything(t *testing.T) {
	p := population(t, 1)
	ids, statuses, counts := map[string]bool{}, map[string]int{}, map[int]int{}
	for n := range 600 {
		row := p.merchant(n)
		if ids[string(row.ID)] || row.CreatedAt.After(p.today) || row.ID == DevMerchant || row.ID == DevSecond {
			t.Fatalf("merchant %d is %s, made at %s", n, row.ID, row.CreatedAt)
		}
		ids[string(row.ID)] = true
		counts[len(row.Connections)]++
		for _, c := range row.Connections {
			last := c.Events[len(c.Events)-1]
			statuses[string(last.Status)]++
			if c.CreatedAt.Before(row.CreatedAt) || last.CreatedAt.After(p.today) || last.CreatedAt.Before(c.CreatedAt) {
				t.Fatalf("%s/%s was made at %s and ends at %s", row.ID, c.Name, c.CreatedAt, last.CreatedAt)
			}
		}
	}
	if len(counts) != 7 || len(statuses) != 4 || statuses["enabled"] < statuses["pending"] {
		t.Errorf("numbers of connections %v, statuses %v", counts, statuses)
	}
}

func TestNumbersOfCompaniesHaveTheirCheckDigit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		no, dk, fi, se := norwegian(r), danish(r), finnish(r), swedish(r)
		if len(no) != 9 || no[0] != '3' || weigh(no, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 != 0 {
			t.Errorf("norwegian %s", no)
		}
		if len(dk) != 8 || dk[:2] != "99" || weigh(dk, 2, 7, 6, 5, 4, 3, 2, 1)%11 != 0 {
			t.Errorf("danish %s", dk)
		}
		if len(fi) != 9 || fi[7] != '-' || weigh(fi[:7]+fi[8:], 7, 9, 10, 5, 8, 4, 2, 1)%11 != 0 {
			t.Errorf("finnish %s", fi)
		}
		sum := 0
		for i := range se {
			d := int(se[i]-'0') * (2 - i%2)
			sum += d/10 + d%10
		}
		if len(se) != 10 || se[:2] != "00" || sum%10 != 0 {
			t.Errorf("swedish %s", se)
		}
	}
}

func weigh(digits string, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += w * int(digits[i]-'0')
	}
	return sum
}
