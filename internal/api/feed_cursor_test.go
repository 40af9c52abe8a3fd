package api

import (
	"math"
	"testing"
)

func TestACursorIsGoodForItsOwnFeedAlone(t *testing.T) {
	key := []byte("as old as the data")
	mine, again := newFeedCursors(key, "T11223351"), newFeedCursors(key, "T11223351")
	for _, position := range []int64{0, 1, 255, 1 << 40, math.MaxInt64} {
		cursor := mine.at(position)
		if got, ok := again.position(cursor); !ok || got != position {
			t.Errorf("the cursor at %d is read as %d, %t", position, got, ok)
		}
		for name, others := range map[string]feedCursors{
			"another account's": newFeedCursors(key, "T11223352"), "other data's": newFeedCursors([]byte("other data"), "T11223351"),
		} {
			if got, ok := others.position(cursor); ok {
				t.Errorf("%s reading takes it for %d", name, got)
			}
		}
	}
}

func TestACursorThatWasTouchedIsRefused(t *testing.T) {
	c := newFeedCursors([]byte("key"), "T11223351")
	good := c.at(7)
	for i := range good {
		for _, letter := range []byte("Aa0_") {
			bad := []byte(good)
			bad[i] = letter
			if position, ok := c.position(string(bad)); ok && string(bad) != good {
				t.Errorf("%s is read as %d", bad, position)
			}
		}
	}
	for _, bad := range []string{"", "AAAAAAAAAAAAAAAAAAAAAA", good + "A", good[:21], good + "==", good + "\n", good[:9] + "\r\n" + good[9:]} {
		if position, ok := c.position(bad); ok {
			t.Errorf("%q is read as %d", bad, position)
		}
	}
}
