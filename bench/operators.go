package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mooring/bench/load"
)

// operators measures what those wait for who run Mooring.
func (b *bench) operators() error {
	fmt.Print("\n## What operators wait for\n\n| what | took | |\n| --- | --- | --- |\n")
	for _, one := range []func() error{b.importing, b.lists, b.syncing, b.restoring, b.moving} {
		if err := one(); err != nil {
			return err
		}
	}
	return nil
}

func tell(what string, took time.Duration, more string, args ...any) {
	fmt.Printf("| %s | %s | %s |\n", what, took.Round(10*time.Microsecond), fmt.Sprintf(more, args...))
}

// importing is `mooring import` of accounts with three connections each.
func (b *bench) importing() error {
	accounts := 120_000
	if b.quick {
		accounts = 200
	}
	dir, err := b.directory()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, secret := filepath.Join(dir, "accounts.jsonl"), filepath.Join(dir, "secret")
	if err := writeAccounts(file, accounts); err != nil {
		return err
	}
	s, err := b.dev(dir)
	if err != nil {
		return err
	}
	defer s.kill()
	if err := os.WriteFile(secret, []byte(s.PlatformSecret), 0o600); err != nil {
		return err
	}
	begun := time.Now()
	if _, err := command(b.ctx, dir, b.mooring, "import", "--url", "http://"+s.addr, "--client", s.Platform, "--secret-file", secret, file); err != nil {
		return err
	}
	took := time.Since(begun)
	_, most, err := s.memory()
	tell(fmt.Sprintf("import of %d connections (`mooring import`, SQLite)", 3*accounts), took, "%.0f connections a second, %.0f MB at most", float64(3*accounts)/took.Seconds(), most)
	return err
}

func writeAccounts(path string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := 1; n > 0; i++ {
		if i%100_000 == 0 { // the id of a partner
			continue
		}
		n--
		fmt.Fprintf(w, `{"id":"T2%07d","owner":"T112","created_at":"2023-02-14T08:00:00Z",`+
			`"profile":{"company":{"business_name":"Havn Kaffe %d AS","organization_number":"923456789"}},"connections":[`, i, i)
		for j, provider := range []string{"vipps", "swish", "klarna"} {
			if j > 0 {
				w.WriteByte(',')
			}
			fmt.Fprintf(w, `{"connection":%q,"status":"enabled","created_at":"2023-02-14T08:10:00Z","signups":[{"callback_reference":"%s-%d"}],"events":[`+
				`{"status":"pending","event":"signup_received","created_at":"2023-02-14T08:10:00Z"},`+
				`{"status":"enabled","event":"credentials_received","created_at":"2023-02-17T12:00:05Z"}]}`, provider, provider, i)
		}
		fmt.Fprintln(w, `]}`)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// lists are pages of a big database, as a person asks who waits for the answer.
func (b *bench) lists() error {
	dir, err := b.directory()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := b.populated(dir, b.big)
	if err != nil {
		return err
	}
	defer s.kill()
	for _, page := range []struct {
		what string
		ask  func(*server) (load.Next, error)
	}{
		{"a page of 50 accounts, filtered, first", b.page(accountsPath + pageOf50)},
		{"the same, anywhere", b.anyPage(b.big)},
		{"a page of 50 of the queue, filtered", b.page(queuePath + pageOf50)},
		{"the numbers of the queue", b.page("/v1/accounts/T112/queue/counts")},
	} {
		next, err := page.ask(s)
		if err != nil {
			return err
		}
		m, err := load.Times(b.ctx, s.addr, 1, 200, next)
		if err != nil {
			return err
		}
		tell(fmt.Sprintf("%s, of %d", page.what, b.big), load.Quantile(m.Good, 0.5), "p99 %s", shown(m.Good, 0.99))
	}
	return nil
}

// syncing asks providers how connections stand, one after the other of ten
// thousand, sixteen at a time.
func (b *bench) syncing() error {
	n := min(10_000, b.size)
	dir, err := b.directory()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := b.populated(dir, b.size)
	if err != nil {
		return err
	}
	defer s.kill()
	token, err := s.token(b.ctx, s.Platform, s.PlatformSecret)
	if err != nil {
		return err
	}
	text := request("POST", "/v1/operator/accounts/T2#######/connections/vipps/sync", s.addr, "Authorization: Bearer "+token, "Content-Length: 0")
	m, err := load.Times(b.ctx, s.addr, 16, int64(n), inTurn(int64(n), text))
	if err != nil {
		return err
	}
	tell(fmt.Sprintf("sync of %d connections (simulated providers, 16 at a time)", n), m.Took, "%.0f a second, p99 %s", m.Rate(), shown(m.Good, 0.99))
	return nil
}

// restoring puts the files of a big database back, and starts on them.
func (b *bench) restoring() error {
	from, err := b.database(b.big)
	if err != nil {
		return err
	}
	bytes, err := weight(from)
	if err != nil {
		return err
	}
	dir, err := b.directory()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	begun := time.Now()
	s, err := b.populated(dir, b.big)
	if err != nil {
		return err
	}
	tell(fmt.Sprintf("restore of %d connections from a copy of the files, to the first answer", b.big), time.Since(begun), "%d MB", bytes/1_000_000)
	s.kill()
	return nil
}

// moving writes a big database to a file and fills another with it, which is
// the way from one engine to the other.
func (b *bench) moving() error {
	from, err := b.database(b.big)
	if err != nil {
		return err
	}
	dir, err := b.directory()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "whole.export")
	begun := time.Now()
	if _, err := command(b.ctx, dir, b.mooring, "export", "--data", filepath.Join(from, "data"), "--out", file); err != nil {
		return err
	}
	took := time.Since(begun)
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	tell(fmt.Sprintf("export of %d connections (`mooring export`, SQLite)", b.big), took, "%d MB, %.0f connections a second", info.Size()/1_000_000, float64(b.big)/took.Seconds())
	begun = time.Now()
	if _, err := command(b.ctx, dir, b.mooring, "import", "--into-data", filepath.Join(dir, "data"), file); err != nil {
		return err
	}
	took = time.Since(begun)
	tell(fmt.Sprintf("restore of %d connections from an export, into SQLite", b.big), took, "%.0f connections a second", float64(b.big)/took.Seconds())
	return nil
}
