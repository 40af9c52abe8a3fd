package provider

// Reasons is the one list of reason codes, in the order of docs/reasons.md.
func Reasons() []Reason { return nil }
