package provider

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"
	"sync"
)

//go:embed reasons.yaml
var reasonsText []byte

// reasons is the one list of reason codes.
var reasons = sync.OnceValue(func() []Reason {
	d := readDocument("reasons.yaml", reasonsText)
	if len(d.problems) > 0 {
		panic(d.problems)
	}
	var all []Reason
	decoder := json.NewDecoder(bytes.NewReader(canonical(d.value)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		panic(err)
	}
	return all
})

// Reasons is the one list of reason codes, in the order of docs/reasons.md.
func Reasons() []Reason { return slices.Clone(reasons()) }

// ReasonOf finds a reason by its code.
func ReasonOf(code string) (Reason, bool) {
	i := slices.IndexFunc(reasons(), func(r Reason) bool { return r.Code == code })
	if i < 0 {
		return Reason{}, false
	}
	return reasons()[i], true
}

// reasonSchema is a reason code in the contract.
func reasonSchema() map[string]any {
	var codes []any
	for _, r := range reasons() {
		codes = append(codes, r.Code)
	}
	return map[string]any{
		"type": "string", "enum": codes, "examples": []any{codes[0]}, "x-mooring-extension": true,
		"description": "Why a connection stands where it does, as one of the reason codes, which are the same for all providers.",
	}
}
