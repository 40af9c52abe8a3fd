package account_test

import (
	"testing"

	"mooring/internal/account"
)

func TestOnlyWellFormedAccountIDsParse(t *testing.T) {
	for text, want := range map[string]bool{
		"T11223351": true, "P00000000": true,
		"": false, "T1122335": false, "T112233511": false, "t11223351": false, "X11223351": false,
		"T112": false, "T11223351\n": false, " T11223351": false, "T1122335１": false, "T1122/351": false,
	} {
		id, err := account.ParseID(text)
		if (err == nil) != want || want && string(id) != text {
			t.Errorf("ParseID(%q) = %q, %v", text, id, err)
		}
	}
}

func TestBothSpellingsOfAnOwnerAreOneAccount(t *testing.T) {
	for text, want := range map[string]account.ID{
		"T112": "T11200000", "T11200000": "T11200000", "P00000000": "P00000000",
		"T11": "", "T1120": "", "T1120000": "", "t112": "", "T112\n": "", "T１１２": "", "": "",
	} {
		id, err := account.ParseOwner(text)
		if id != want || (err == nil) != (want != "") {
			t.Errorf("ParseOwner(%q) = %q, %v", text, id, err)
		}
	}
}

func TestAnIDKnowsItsWorld(t *testing.T) {
	if w := account.ID("T11223351").World(); w != account.Test {
		t.Errorf("world %c", w)
	}
	if w := account.ID("").World(); w != 0 {
		t.Errorf("the zero id is in world %c", w)
	}
	if id := account.Platform(account.Production); id != "P00000000" || !id.IsPlatform() || account.ID("P00100000").IsPlatform() {
		t.Errorf("the platform is %s", id)
	}
	if id := account.ID("T11200000").PartnerID(); id != "T112" {
		t.Errorf("partner id %s", id)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"T11223351", "T112", "", "P00000000\n", "Ｔ１１２"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := account.ParseID(text); err == nil && len(id) != 9 {
			t.Errorf("%q became %q", text, id)
		}
		if id, err := account.ParseOwner(text); err == nil && (len(id) != 9 || id.PartnerID() != text[:4]) {
			t.Errorf("%q became %q", text, id)
		}
	})
}
