// Command bench measures Mooring beside programs that people would use instead,
// or that show what the machine can do: it starts each in turn, in one run,
// asks it the same, and prints medians and ratios as the tables of
// docs/performance.md. It asserts no time.
//
//	go run . [-quick] [-only G1,G7] [-rounds 3] [-for 5s] [-operators]
//
// Every contestant is a process of its own, with data of its own that nobody
// wrote to before; this process asks. It must never be compared across runs:
// absolute figures belong to the machine and to the moment.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// bench is one run.
type bench struct {
	ctx       context.Context
	dir       string // of this run; gone at its end
	mooring   string // the binaries
	peers     string // directory of the peers' binaries
	size      int    // how many connections there are in the usual database
	big       int    // and in the big one
	rounds    int
	warm      time.Duration
	span      time.Duration
	quick     bool
	filled    map[int]string   // databases of Mooring that are copied for each contestant
	places    map[int][]string // paging tokens all over their accounts
	judgments []judgment
}

// judgment is what became of a goal.
type judgment struct {
	goal, wanted, measured string
	reached                bool
}

func (b *bench) judge(goal, wanted string, reached bool, measured string, args ...any) {
	b.judgments = append(b.judgments, judgment{goal, wanted, fmt.Sprintf(measured, args...), reached})
}

// part is a measurement that answers for one goal or several.
type part struct {
	goals []string
	run   func(*bench) error
}

var parts = []part{
	{[]string{"G1", "G3", "G4"}, (*bench).writes},
	{[]string{"G2"}, (*bench).limit},
	{[]string{"G5"}, (*bench).lone},
	{[]string{"G6"}, (*bench).pages},
	{[]string{"G7"}, (*bench).reads},
	{[]string{"G8"}, (*bench).verification},
	{[]string{"G9"}, (*bench).tokens},
	{[]string{"G10"}, (*bench).hooks},
	{[]string{"G11"}, (*bench).postgres},
	{[]string{"G12"}, (*bench).million},
	{[]string{"G13", "G14"}, (*bench).startAndSize},
	{[]string{"G15"}, (*bench).double},
	{[]string{"overload"}, (*bench).overload},
}

func main() {
	b := &bench{filled: map[int]string{}, places: map[int][]string{}}
	only := flag.String("only", "", "measure these goals only, such as G1,G7, or overload")
	operators := flag.Bool("operators", false, "measure what operators wait for instead")
	dir := flag.String("dir", "", "`directory` for databases, on the disk that is to be measured (default: that of temporary files)")
	flag.BoolVar(&b.quick, "quick", false, "see that everything runs: small databases, one short round")
	flag.IntVar(&b.rounds, "rounds", 3, "how often each contestant has its turn")
	flag.DurationVar(&b.span, "for", 5*time.Second, "how long a turn is")
	flag.IntVar(&b.size, "size", 100_000, "connections in the usual database")
	flag.IntVar(&b.big, "big", 1_000_000, "connections in the big database")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b.ctx, b.warm = ctx, max(b.span/5, 300*time.Millisecond)
	if b.quick {
		b.rounds, b.span, b.warm, b.size, b.big = 1, 500*time.Millisecond, 200*time.Millisecond, 500, 2_000
	}
	chosen := choose(*only)
	if *operators {
		chosen = []part{{nil, (*bench).operators}}
	}
	if err := b.run(*dir, chosen); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// choose finds the parts that answer for what is asked, all when nothing is.
func choose(only string) []part {
	if only == "" {
		return parts
	}
	var chosen []part
	for _, p := range parts {
		if slices.ContainsFunc(strings.Split(only, ","), func(goal string) bool { return slices.Contains(p.goals, goal) }) {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

func (b *bench) run(parent string, chosen []part) (err error) {
	if len(chosen) == 0 {
		return fmt.Errorf("nothing of that name is measured here")
	}
	if b.dir, err = os.MkdirTemp(parent, "mooring-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(); err != nil {
		return err
	}
	for _, p := range chosen {
		begun := time.Now()
		if err := p.run(b); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(p.goals, ", "), err)
		}
		b.say("%s took %.0f s", cmp.Or(strings.Join(p.goals, ", "), "all of it"), time.Since(begun).Seconds())
	}
	b.summarise()
	return nil
}

// say tells whoever waits what is going on.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// summarise prints the goals that were looked at.
func (b *bench) summarise() {
	if len(b.judgments) == 0 {
		return
	}
	fmt.Print("\n## The goals\n\n| goal | wanted | measured | reached |\n| --- | --- | --- | --- |\n")
	for _, j := range b.judgments {
		word := "no"
		if j.reached {
			word = "yes"
		}
		fmt.Printf("| %s | %s | %s | %s |\n", j.goal, j.wanted, j.measured, word)
	}
}
