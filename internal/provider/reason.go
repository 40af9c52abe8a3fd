package provider

import "slices"

// ReasonOf finds a reason by its code.
func ReasonOf(code string) (Reason, bool) {
	all := Reasons()
	i := slices.IndexFunc(all, func(r Reason) bool { return r.Code == code })
	if i < 0 {
		return Reason{}, false
	}
	return all[i], true
}
