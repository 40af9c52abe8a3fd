// Package notice owns what people are told in words: the texts of notices and
// digests, the messages that carry them to a mailbox or a chat, and the
// calendars that say when a digest is due.
//
// It is pure. It promises that a text holds nothing of a person: account ids,
// names of providers, statuses, turns, reason codes, counts and links, and
// nothing that somebody wrote. It must never do I/O, and must never read a clock.
package notice
