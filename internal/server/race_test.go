//go:build race

package server_test

// reloads is how often the test of reloads under load does it; the race
// detector makes each ten times as slow.
const reloads = 20
