package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mooring/bench/load"
)

// contestant is what has its turn in each round.
type contestant struct {
	name    string
	clients int
	start   func(dir string) (*process, load.Next, error)
}

// sample is what was seen of a contestant in one turn; later, the medians of
// its turns.
type sample struct {
	rate     float64 // a second
	p50, p99 float64 // milliseconds
	cpu      float64 // microseconds of the server's processor time for one
	rss, hwm float64 // megabytes at the end, and the most
}

// alternate gives each contestant its turn, round after round, and gives the
// medians by name.
func (b *bench) alternate(all []contestant) (map[string]sample, error) {
	seen := map[string][]sample{}
	for round := range b.rounds {
		for _, c := range all {
			s, err := b.turn(c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			b.say("%d %-50s %8.0f/s, p50 %.2f, p99 %.2f ms, %.0f us, %.0f MB", round+1, c.name, s.rate, s.p50, s.p99, s.cpu, s.rss)
			seen[c.name] = append(seen[c.name], s)
		}
	}
	medians := map[string]sample{}
	for name, samples := range seen {
		medians[name] = medianOf(samples)
	}
	return medians, nil
}

func (b *bench) turn(c contestant) (sample, error) {
	dir, err := os.MkdirTemp(b.dir, "turn-")
	if err != nil {
		return sample{}, err
	}
	defer os.RemoveAll(dir)
	p, next, err := c.start(dir)
	if err != nil {
		return sample{}, err
	}
	defer p.kill()
	syscall.Sync() // what was made for this turn is not written to disk during it
	return b.sample(p, c.clients, next)
}

// sample asks a server that runs.
func (b *bench) sample(p *process, clients int, next load.Next) (sample, error) {
	if _, err := load.Closed(b.ctx, p.addr, clients, b.warm, next); err != nil {
		return sample{}, err
	}
	before, err := p.processor()
	if err != nil {
		return sample{}, err
	}
	result, err := load.Closed(b.ctx, p.addr, clients, b.span, next)
	if err != nil {
		return sample{}, err
	}
	after, err := p.processor()
	if err != nil {
		return sample{}, err
	}
	if len(result.Good) == 0 {
		return sample{}, fmt.Errorf("nothing was answered in %s (%d refused)", b.span, len(result.Refused))
	}
	s := sample{rate: result.Rate(), p50: milliseconds(load.Quantile(result.Good, 0.5)), p99: milliseconds(load.Quantile(result.Good, 0.99))}
	s.cpu = float64((after - before).Microseconds()) / float64(len(result.Good))
	s.rss, s.hwm, err = p.memory()
	return s, err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

// medianOf takes each figure by itself.
func medianOf(samples []sample) sample {
	of := func(figure func(sample) float64) float64 {
		var values []float64
		for _, s := range samples {
			values = append(values, figure(s))
		}
		return median(values)
	}
	return sample{
		of(func(s sample) float64 { return s.rate }), of(func(s sample) float64 { return s.p50 }), of(func(s sample) float64 { return s.p99 }),
		of(func(s sample) float64 { return s.cpu }), of(func(s sample) float64 { return s.rss }), of(func(s sample) float64 { return s.hwm }),
	}
}

// table prints medians, each with the ratio of its rate to the first one's.
func table(title string, all []contestant, medians map[string]sample) {
	fmt.Printf("\n## %s\n\n| what | clients | answers | p50 | p99 | processor time of one | memory | %s / this |\n", title, all[0].name)
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, c := range all {
		s := medians[c.name]
		fmt.Printf("| %s | %d | %.0f/s | %.2f ms | %.2f ms | %.0f us | %.0f MB | %.2f |\n",
			c.name, c.clients, s.rate, s.p50, s.p99, s.cpu, s.rss, medians[all[0].name].rate/s.rate)
	}
}

// request is the text of a request without a token or a body.
func request(method, path, addr string, header ...string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: " + addr + "\r\n" + strings.Join(append(header, ""), "\r\n") + "\r\n"
}

// posting is the text of one with a body.
func posting(path, addr, contentType, authorization, body string) string {
	return request("POST", path, addr, "Authorization: "+authorization, "Content-Type: "+contentType, "Content-Length: "+strconv.Itoa(len(body))) + body
}

// eachOf makes requests of a text: the run of # in it stands for a number
// below n, another one each time.
func eachOf(n int, text string) load.Next {
	head, rest, found := strings.Cut(text, "#")
	if !found {
		return func(_ *rand.Rand, buf []byte) []byte { return append(buf, text...) }
	}
	tail := strings.TrimLeft(rest, "#")
	width := 1 + len(rest) - len(tail)
	return func(r *rand.Rand, buf []byte) []byte {
		number := strconv.Itoa(r.IntN(n))
		buf = append(buf, head...)
		for range width - len(number) {
			buf = append(buf, '0')
		}
		return append(append(buf, number...), tail...)
	}
}

// weight is how many bytes a directory holds.
func weight(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		bytes += info.Size()
		return err
	})
	return bytes, err
}
