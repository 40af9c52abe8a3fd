package outbound

import (
	"net/http"
	"time"
)

// Local is a client without a guard, for the command line alone: whoever types
// a command may talk to any machine that they could talk to anyway. It verifies
// TLS, follows no redirect, so that a secret goes nowhere else, and gives an
// exchange no longer than limit.
func Local(limit time.Duration) *http.Client {
	return &http.Client{
		Timeout:       limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
