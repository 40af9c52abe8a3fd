// Package dispatch is the engine that tells subscriptions what is in the log:
// it reads, sends, and writes down what came of it.
package dispatch
