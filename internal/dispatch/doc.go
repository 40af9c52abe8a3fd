// Package dispatch is the engine that tells subscriptions what is in the log:
// it reads, sends, and writes down what came of it.
//
// It promises that what a subscription wants is sent at least once, each time
// with the same id and the same bytes, in the order of its lane; that what came
// of it is written exactly once; and that no receiver, however it behaves,
// holds up another. It must never send what its subscriber may not be told any
// more, and never know what a message says.
//
// # Where a message is
//
// A subscription is a place in the log: everything up to its position is done,
// and so are a few positions ahead of it. A message that is taken at once
// leaves an attempt and moves the position; nothing else is written for it. One
// that fails becomes a delivery: failed, to be tried again by the timetable.
// Its lane waits for it: what comes from the log behind it becomes a delivery
// that waits, so that the position can go on for the other lanes. When the
// failed one is taken or dead, those that wait are sent, in order, and then
// what comes from the log. What somebody asks to be sent again goes beside the
// order of its lane.
//
//	log --> in hand --> on the wire --> taken                    (attempt, position)
//	                        |
//	                        +--> failed --> on the wire --> ...   (attempt, delivery)
//	                               |                  \--> dead   (kept until it is swept)
//	        behind it in its lane: waiting
//
// An endpoint that is taken for dead is sent one message at a time, as a probe,
// and nothing new is read for it: it costs no rows, its place in the log waits.
//
// # One hand
//
// One goroutine moves all endpoints of a node: it takes in what came of
// attempts, picks what may be sent, and hands outcomes to be written. It never
// waits. What does is done beside it: attempts, one goroutine each for as long as they are on
// the wire; reads for endpoints that are behind; one batch of outcomes at a time, with what
// comes within a moment; one lookup at a time of what messages are to be judged by,
// while others are sent for which all of that is known. An
// endpoint for which nothing happens has no goroutine and costs no query.
//
// One reader per node follows the end of the log and hands each entry to the
// endpoints of those that it concerns. An endpoint that has as much in hand as
// it may falls back: it reads pages by itself until it is close enough to catch
// up from the newest entries, which are kept in memory.
//
// # Who tells whom
//
// Subscriptions are sorted into 64 shards. A node holds its fair share of their
// leases, and writes outcomes only under them, in the transaction that checks
// their fences. A node that can't be sure that its leases are its own sends
// nothing. One that lost a lease drops what it has in hand: whoever has it now
// reads it from the store.
//
// # What a crash leaves
//
// All that counts is on disk: position, deliveries and attempts of a batch are
// written together. What was on the wire, or answered and not yet written, is
// sent again by whoever comes next, with the same id and the same bytes; there
// are at most as many of these per endpoint as it may have on the wire and unwritten.
// Nothing before that is, and nothing after it was sent.
//
// # Fairness
//
// An endpoint begins with two messages on the wire and earns more. All together
// have a number of places; when half of them are taken no endpoint may have
// many, and when three quarters are, two. So those that hang keep their few
// places for as long as they like, and the others have the rest.
//
// # The right to be told
//
// Whether a subscriber may be told of an account is asked before each attempt,
// of the accounts as they are then: they are read again when the epoch moved,
// which every change of an owner does, on whichever node (S05).
//
// # Stopping
//
// A stop starts nothing more, waits a while for what is on the wire, cuts off
// the rest as if it had never been sent, writes down what came of it, and lets
// go of the leases so that others need not wait for them.
package dispatch
