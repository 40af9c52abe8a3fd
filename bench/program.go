package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// directory makes one for a program.
func (b *bench) directory() (string, error) { return os.MkdirTemp(b.dir, "of-") }

// million answers for G12.
func (b *bench) million() error {
	usual, big := fmt.Sprintf("Mooring, %d connections", b.size), fmt.Sprintf("Mooring, %d connections", b.big)
	all := []contestant{b.writing(usual, 64, b.size, anEvent), b.writing(big, 64, b.big, anEvent)}
	m, err := b.alternate(all)
	if err != nil {
		return err
	}
	table("A durable event, by how many there are", all, m)
	dir, err := b.database(b.big)
	if err != nil {
		return err
	}
	bytes, err := weight(dir)
	if err != nil {
		return err
	}
	each, rate := float64(bytes)/float64(b.big), m[big].rate/m[usual].rate
	b.judge("G12", "RSS <= 64 MB at full write load with a million; disk <= 130 MB a million; rate >= 0.95 of that with 100,000",
		m[big].hwm <= 64 && each <= 130 && rate >= 0.95, "%.0f MB (with %d); %.0f MB; %.2f", m[big].hwm, b.big, each, rate)
	return nil
}

// startAndSize answers for G13 and G14.
func (b *bench) startAndSize() error {
	starts := 20
	if b.quick {
		starts = 3
	}
	usual, err := b.starts(starts, b.size)
	if err != nil {
		return err
	}
	big, err := b.starts(starts, b.big)
	if err != nil {
		return err
	}
	base, err := b.pocketBaseStarts(starts)
	if err != nil {
		return err
	}
	file, err := os.Stat(b.mooring)
	if err != nil {
		return err
	}
	size := float64(file.Size()) / 1e6
	fmt.Printf("\n## The program\n\nFirst answer after exec, median of %d: %.0f ms with %d connections, %.0f ms with %d, PocketBase with %d: %.0f ms. Size: %.1f MB.\n",
		starts, usual, b.size, big, b.big, b.size, base, size)
	b.judge("G13", "first answer <= 20 ms after exec, the same with ten million", usual <= 20 && big <= 1.25*usual, "%.0f ms with %d, %.0f ms with %d", usual, b.size, big, b.big)
	b.judge("G14", "one static binary <= 20 MB, both engines in it", size <= 20, "%.1f MB", size)
	return nil
}

// starts is how many milliseconds pass from exec to the first answer.
func (b *bench) starts(n, size int) (float64, error) {
	dir, err := b.directory()
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := b.copy(dir, size); err != nil {
		return 0, err
	}
	return b.medianStart(n, "/readyz", func(addr string) (*process, error) {
		return start(dir, addr, b.mooring, "serve", "--data", filepath.Join(dir, "data"), "--world", "both", "--listen", addr,
			"--public-url", "http://"+addr, "--signing-algorithm", "EdDSA", "--log-level", "error", "--drain-delay", "0s")
	})
}

func (b *bench) pocketBaseStarts(n int) (float64, error) {
	dir, err := b.directory()
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	p, _, err := b.peer(dir, "/api/health", "pocketbase", dir, "", "normal", fmt.Sprint(b.size)) // fills it
	if err != nil {
		return 0, err
	}
	p.kill()
	program, err := b.program("pocketbase")
	if err != nil {
		return 0, err
	}
	return b.medianStart(n, "/api/health", func(addr string) (*process, error) {
		return start(dir, addr, program, dir, addr, "normal", fmt.Sprint(b.size))
	})
}

func (b *bench) medianStart(n int, path string, begin func(addr string) (*process, error)) (float64, error) {
	var took []float64
	for range n {
		addr, err := free()
		if err != nil {
			return 0, err
		}
		p, err := begin(addr)
		if err != nil {
			return 0, err
		}
		one, err := p.ready(b.ctx, path)
		if err != nil {
			return 0, err
		}
		p.kill()
		took = append(took, one.Seconds()*float64(time.Second/time.Millisecond))
	}
	return median(took), nil
}
