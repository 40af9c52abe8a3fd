// Command river measures how many jobs that do nothing River works off in a
// second on PostgreSQL: the jobs are there when its client starts, and a job
// counts once its completion is stored.
//
//	river DATABASE-URL JOBS
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// Nothing are the arguments of a job.
type Nothing struct {
	Number int `json:"number"`
}

// Kind names the job.
func (Nothing) Kind() string { return "nothing" }

type worker struct{ river.WorkerDefaults[Nothing] }

func (worker) Work(context.Context, *river.Job[Nothing]) error { return nil }

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("river DATABASE-URL JOBS")
	}
	jobs, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, args[0])
	if err != nil {
		return err
	}
	defer pool.Close()
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, worker{})
	client, err := river.NewClient(driver, &river.Config{ // as its own benchmark has it
		Workers: workers, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2000}},
		FetchCooldown: 2 * time.Millisecond, FetchPollInterval: 20 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	if err := insert(ctx, client, jobs); err != nil {
		return err
	}
	done, stop := client.SubscribeConfig(&river.SubscribeConfig{Kinds: []river.EventKind{river.EventKindJobCompleted}, ChanSize: jobs})
	defer stop()
	began := time.Now()
	if err := client.Start(ctx); err != nil {
		return err
	}
	for range jobs {
		<-done
	}
	fmt.Printf("%.0f\n", float64(jobs)/time.Since(began).Seconds())
	return client.Stop(ctx)
}

// insert makes the jobs, a few thousand at a time.
func insert[T any](ctx context.Context, client *river.Client[T], jobs int) error {
	const batch = 2000
	for first := 0; first < jobs; first += batch {
		var some []river.InsertManyParams
		for i := first; i < min(first+batch, jobs); i++ {
			some = append(some, river.InsertManyParams{Args: Nothing{i}})
		}
		if _, err := client.InsertManyFast(ctx, some); err != nil {
			return err
		}
	}
	return nil
}
