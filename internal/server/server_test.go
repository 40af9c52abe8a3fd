package server_test

import (
	"net/http"
	"strings"
	"testing"

	"mooring/internal/auth"
)

func TestHeadersAreLimitedBeforeAnythingReadsThem(t *testing.T) {
	d := startDev(t, auth.EdDSA)
	for size, want := range map[int]int{8 << 10: http.StatusOK, 32 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Long", strings.Repeat("x", size))
		answer, err := d.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%d bytes of header are answered with %d, want %d", size, answer.StatusCode, want)
		}
	}
}
