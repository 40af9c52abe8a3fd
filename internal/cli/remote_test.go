package cli

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring/internal/secret"
)

// startDev runs `mooring dev` until the test ends. Remote commands that the
// test runs find it by themselves.
func startDev(t *testing.T, args ...string) {
	t.Helper()
	t.Setenv("MOORING_CACHE_DIR", t.TempDir())
	dev, _ := launchDev(t, args...)
	t.Cleanup(dev)
}

// launchDev runs `mooring dev` in the cache directory that is set, and returns
// what ends it once it has shown its banner.
func launchDev(t *testing.T, args ...string) (stop func(), banner string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, printed := io.Pipe()
	done := make(chan int, 1)
	var errs strings.Builder
	go func() {
		code := Run(ctx, append([]string{"dev", "--listen", "127.0.0.1:0"}, args...), Stdio{Out: printed, Err: &errs})
		printed.Close()
		done <- code
	}()
	first, err := bufio.NewReader(out).ReadString('\n')
	go io.Copy(io.Discard, out)
	if err != nil {
		t.Fatalf("no banner: %v, exit %d, %s", err, <-done, errs.String())
	}
	return func() {
		cancel()
		if code := <-done; code != exitDone {
			t.Errorf("exit %d: %s", code, errs.String())
		}
	}, first
}

const aConnection = "/management/settings/connections/vipps"

func TestARemoteCommandFindsTheDevServerThatRuns(t *testing.T) {
	startDev(t)
	server, err := remoteFlags{cacheFlags: cacheFlags{CacheDir: os.Getenv("MOORING_CACHE_DIR")}}.connect(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var connection struct{ Status string }
	if err := server.call(t.Context(), http.MethodGet, accountPath("T11223352")+aConnection, nil, &connection); err != nil || connection.Status != "pending" {
		t.Errorf("%+v, %v", connection, err)
	}
	err = server.call(t.Context(), http.MethodGet, accountPath("T11223351")+aConnection, nil, nil)
	if err == nil || !strings.Contains(err.Error(), " (404 NOT FOUND, request ") {
		t.Errorf("a connection that is not there: %v", err)
	}
	err = server.call(t.Context(), http.MethodPost, accountPath("T11223351")+"/management/settings/connections/swish", map[string]any{}, nil)
	if err == nil || !strings.Contains(err.Error(), "signup is required (400 INVALID_REQUEST_PARAMETER, request ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a body without a signup: %v", err)
	}
}

func TestARemoteCommandSaysOnceWhatWasWrong(t *testing.T) {
	startDev(t)
	const signup = "01990f33-7a10-7b42-8a3e-5d1c0e9f4a10"
	for command, says := range map[string]string{
		"clock advance --account T11223352 3days":                                             "advance must be a duration of weeks, days, hours, minutes and seconds, in this order and without spaces, such as 90m, 3d or 1d12h (400 ",
		"clock show --account X11223352":                                                      "aid must be P or T and eight digits, such as T11223351 (400 ",
		"clock advance --account T11223352 400d":                                              "advance must be at most a year (400 ",
		"clock advance --account T99999999 1d":                                                "there is no test account T99999999 that this client can see (404 ",
		"clock show --account T99999999":                                                      "there is no test account T99999999 that",
		"simulate --account T11223352 --connection nope --scenario happy":                     "there is no connection nope of the test account T11223352 that",
		"simulate --account T11223352 --connection vipps --scenario happy --signup " + signup: "there is no connection vipps of the test account T11223352 with the signup " + signup + " that",
		"batch write --connection vipps f.csv":                                                "there is no provider vipps that takes signups in files that",
		"credentials release --account T11223352 --connection klarna --to box":                "there is no connection klarna of T11223352 with credentials that",
		"credentials recipients end box":                                                      "there is no recipient box that",
		"inbox list --account T99999999 --connection vipps":                                   "there is no connection vipps of T99999999 that",
		"inbox replay --account T11223352 --connection vipps " + signup:                       "there is no call " + signup + " in the inbox of the connection vipps of T11223352 that",
		"erase --account T11223352 --connection vipps --reason r " + signup:                   "there is no signup " + signup + " of the connection vipps of T11223352 that",
	} {
		code, out, errs := run(t, strings.Fields(command)...)
		if code != exitFailed || out != "" || !strings.HasPrefix(errs, "mooring: "+says) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit %d, %s%s", command, code, out, errs)
		}
	}
	if code, out, errs := run(t, "drift"); code != exitDone || out != "ACCOUNT  CONNECTION  HERE  THERE  SINCE\n" {
		t.Errorf("without drift: exit %d, %s%s", code, out, errs)
	}
}

func TestHowFarAClockIsAheadIsSaidInWords(t *testing.T) {
	for ahead, says := range map[time.Duration]string{
		24 * time.Hour:                "1 day",
		48*time.Hour - 2*time.Second:  "2 days",
		36 * time.Hour:                "1 day 12 hours",
		12*time.Hour + 90*time.Second: "12 hours 2 minutes",
		61 * time.Second:              "1 minute 1 second",
	} {
		clock := clockTime{AccountID: "T11223351", AheadSeconds: int64(ahead / time.Second)}
		if text := clock.String(); !strings.HasSuffix(text, ", "+says+" ahead of real time") {
			t.Errorf("%s: %s", ahead, text)
		}
	}
}

func TestTheFileOfADevServerIsPrivateAndGoneAtItsEnd(t *testing.T) {
	cache := cacheFlags{CacheDir: filepath.Join(t.TempDir(), "new")}
	t.Setenv("MOORING_CACHE_DIR", cache.CacheDir)
	stopFirst, _ := launchDev(t)
	path := filepath.Join(cache.CacheDir, "dev.json")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	stopSecond, _ := launchDev(t)
	second, err := cache.discover()
	if err != nil {
		t.Fatal(err)
	}
	stopFirst()
	if left, err := cache.discover(); err != nil || left != second {
		t.Errorf("the end of the first server took the file of the second: %v, %v", left, err)
	}
	stopSecond()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	if _, _, _, err := (remoteFlags{cacheFlags: cache}).login(); err == nil || !strings.Contains(err.Error(), "no mooring dev is running") {
		t.Error(err)
	}
}

func TestASecretGoesToTheServerItIsFor(t *testing.T) {
	startDev(t)
	file := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(file, []byte("hush\n"), 0o600))
	t.Setenv("MOORING_CLIENT_SECRET", "from the environment")
	cache := cacheFlags{CacheDir: os.Getenv("MOORING_CACHE_DIR")}
	own, err := cache.discover()
	must(t, err)
	for name, test := range map[string]struct {
		flags              remoteFlags
		base, client, says string
		plain              string
	}{
		"nothing set":                       {flags: remoteFlags{}, base: own.URL, client: own.Client, plain: own.Secret},
		"another client of the dev server":  {flags: remoteFlags{Client: "c", SecretFile: file}, base: own.URL, client: "c", plain: "hush"},
		"a server and a client":             {flags: remoteFlags{URL: "https://m.example/", Client: "c", SecretFile: file}, base: "https://m.example", client: "c", plain: "hush"},
		"a secret in the environment":       {flags: remoteFlags{URL: "https://m.example", Client: "c"}, base: "https://m.example", client: "c", plain: "from the environment"},
		"a server without a client":         {flags: remoteFlags{URL: "https://m.example"}, says: "name the API client"},
		"a server in clear":                 {flags: remoteFlags{URL: "http://m.example", Client: "c"}, says: "must begin with https://"},
		"a server in clear on this machine": {flags: remoteFlags{URL: "http://[::1]:1", Client: "c", SecretFile: file}, base: "http://[::1]:1", client: "c", plain: "hush"},
		"no address":                        {flags: remoteFlags{URL: "m.example", Client: "c"}, says: "must look like"},
		"a file that is not there":          {flags: remoteFlags{Client: "c", SecretFile: file + "x"}, says: "no such file"},
	} {
		test.flags.cacheFlags = cache
		base, client, plain, err := test.flags.login()
		switch {
		case test.says != "":
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || base != test.base || client != test.client || !plain.Equal(secret.NewPlain(test.plain)):
			t.Errorf("%s: %q, %q, %v", name, base, client, err)
		}
	}
}

func TestAnAnswerOfSomebodyElseIsToldInOneSentence(t *testing.T) {
	t.Setenv("MOORING_CLIENT_SECRET", "hush")
	for body, says := range map[string]string{
		"<html>":                       "can't log in as c: Bad Gateway (502)",
		`{"error":{"message":"a\nb"}}`: "can't log in as c: a b (502)",
	} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			io.WriteString(w, body)
		}))
		_, err := remoteFlags{URL: other.URL, Client: "c"}.connect(t.Context(), "")
		other.Close()
		if err == nil || err.Error() != says {
			t.Errorf("%s: %v", body, err)
		}
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	if _, err := (remoteFlags{URL: closed.URL, Client: "c"}).connect(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "can't reach "+closed.URL) {
		t.Error(err)
	}
}
