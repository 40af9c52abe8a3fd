package outbound_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"mooring/internal/outbound"
)

// BenchmarkPost is one message over a connection that was kept, by us and by a
// bare client of the standard library, which decides nothing.
func BenchmarkPost(b *testing.B) {
	s, _ := receiver(b, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	s.Start()
	defer s.Close()
	body := bytes.Repeat([]byte("x"), 1000)
	header := http.Header{"Content-Type": {"application/json"}, "Webhook-Id": {"0192a1b2"}}

	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		c := outbound.New(outbound.Config{Allow: loopback})
		defer c.Close()
		to, _ := outbound.ParseEndpoint(s.URL)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if a, err := c.Post(context.Background(), outbound.Message{To: to, Header: header, Body: body}); err != nil || a.Status != 200 {
					b.Error(a.Status, err)
				}
			}
		})
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		c := s.Client()
		c.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				req, _ := http.NewRequest(http.MethodPost, s.URL, bytes.NewReader(body))
				req.Header = header.Clone()
				res, err := c.Do(req)
				if err != nil || res.StatusCode != 200 {
					b.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	})
}
