//go:build !race

package server_test

// reloads is how often the test of reloads under load does it.
const reloads = 100
