package main

import (
	"fmt"
	"strconv"
	"strings"
)

// figures are what a Go benchmark reports, by unit.
type figures map[string]float64

// gotest runs benchmarks of a package and gives their figures by name, without
// the word Benchmark and the number of processors.
func (b *bench) gotest(dir, pkg, pattern, benchtime string, args ...string) (map[string]figures, error) {
	all := append([]string{"test", "-run", "^$", "-bench", pattern, "-benchtime", benchtime, "-benchmem", "-timeout", "60m", pkg, "-args"}, args...)
	out, err := command(b.ctx, dir, "go", all...)
	if err != nil {
		return nil, err
	}
	found := map[string]figures{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(words[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
		found[name] = figures{}
		for i := 2; i+1 < len(words); i += 2 {
			if found[name][words[i+1]], err = strconv.ParseFloat(words[i], 64); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no benchmark %s in %s", pattern, pkg)
	}
	return found, nil
}

// inside runs one of the benchmarks of this module.
func (b *bench) inside(pkg, name string) (figures, error) {
	args := []string{"-rounds", fmt.Sprint(b.rounds), "-span", b.span.String(), "-connections", fmt.Sprint(b.size), "-stored", fmt.Sprint(b.big)}
	found, err := b.gotest(".", pkg, "^Benchmark"+name+"$", "1x", args...)
	return found[name], err
}

// limit answers for G2.
func (b *bench) limit() error {
	f, err := b.inside("./inside", "Limit")
	if err != nil {
		return err
	}
	fmt.Printf("\n## The store beside its limit, 256 writers\n\n| what | writes |\n| --- | --- |\n")
	fmt.Printf("| a journal: records of 512 bytes, a growing file, one sync for all that wait | %.0f/s |\n", f["journal/s"])
	fmt.Printf("| events, on %d that are stored already | %.0f/s |\n", b.big, f["events/s"])
	b.judge("G2", ">= 50 % of the limit of group commit, 256 writers, a million events stored", f["share"] >= 0.5, "%.0f %% (%d stored)", 100*f["share"], b.big)
	return nil
}

// lone answers for G5.
func (b *bench) lone() error {
	f, err := b.inside("./inside", "Lone")
	if err != nil {
		return err
	}
	fmt.Printf("\n## One writer alone\n\nA prepared transaction with three writes: %.0f us; an event in the store: %.0f us (medians).\n", f["plain-us"], f["event-us"])
	b.judge("G5", "one lone writer: p50 <= 1.1 x a plain prepared transaction", f["ratio"] <= 1.1, "%.2f x", f["ratio"])
	return nil
}

// verification answers for G8.
func (b *bench) verification() error {
	known, err := b.gotest("..", "./internal/access", "^BenchmarkVerifyRemembered$", "1s")
	if err != nil {
		return err
	}
	fresh, err := b.gotest("..", "./internal/auth", "^BenchmarkVerify$/^EdDSA$", "1s")
	if err != nil {
		return err
	}
	if _, err := command(b.ctx, "..", "go", "test", "-count=1", "-run", "Withdraw|Revoke", "./internal/access"); err != nil {
		return err
	}
	seen, first := known["VerifyRemembered"], fresh["Verify/EdDSA"]
	fmt.Printf("\n## Who holds a token\n\nSeen before: %.2f us, %.0f allocations. New, EdDSA: %.0f us.\n", seen["ns/op"]/1000, seen["allocs/op"], first["ns/op"]/1000)
	b.judge("G8", "a token seen before <= 0.2 us, 0 allocations; a new one <= 55 us", seen["ns/op"] <= 200 && seen["allocs/op"] == 0 && first["ns/op"] <= 55_000,
		"%.2f us, %.0f; %.0f us", seen["ns/op"]/1000, seen["allocs/op"], first["ns/op"]/1000)
	return nil
}

// hooks answers for G10.
func (b *bench) hooks() error {
	if _, err := command(b.ctx, "..", "test/need.sh", "postgresql"); err != nil {
		return err
	}
	messages := 40_000
	if b.quick {
		messages = 2_000
	}
	found, err := b.gotest(".", "./hooks", "^BenchmarkHooks$", "1x", "-rounds", fmt.Sprint(b.rounds), "-messages", fmt.Sprint(messages))
	if err != nil {
		return err
	}
	f := found["Hooks"]
	fmt.Printf("\n## Hooks\n\n| what | a second | processor time of one, receiver included |\n| --- | --- | --- |\n")
	for _, name := range []string{"bare", "SQLite", "PostgreSQL", "River"} {
		fmt.Printf("| %s | %.0f | %.0f us |\n", name, f[name+"/s"], f[name+"-us"])
	}
	bare, river := f["SQLite/s"]/f["bare/s"], f["SQLite/s"]/f["River/s"]
	b.judge("G10", "deliveries >= 85 % of a bare client's rate, >= 1.5 x River's jobs", bare >= 0.85 && river >= 1.5, "%.0f %%; %.1f x", 100*bare, river)
	return nil
}

// postgres answers for G11.
func (b *bench) postgres() error {
	if _, err := command(b.ctx, "..", "test/need.sh", "postgresql"); err != nil {
		return err
	}
	f, err := b.inside("./inside", "Postgres")
	if err != nil {
		return err
	}
	fmt.Printf("\n## PostgreSQL, 256 writers\n\n| what | writes | p99 |\n| --- | --- | --- |\n")
	for _, name := range []string{"each", "store", "unsynced"} {
		fmt.Printf("| %s | %.0f/s | %.1f ms |\n", name, f[name+"/s"], f[name+"-p99-ms"])
	}
	times, late, off := f["store/s"]/f["each/s"], f["each-p99-ms"]/f["store-p99-ms"], f["store/s"]/f["unsynced/s"]
	b.judge("G11", "PostgreSQL >= 10 x a transaction each at 256 clients, p99 <= 1/5, >= 95 % of synchronous_commit=off", times >= 10 && late >= 5 && off >= 0.95,
		"%.1f x; 1/%.1f; %.0f %%", times, late, 100*off)
	return nil
}
