package access

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mooring/internal/auth"
)

func TestTheCacheIsBounded(t *testing.T) {
	c, now := newCache(), time.Now()
	for i := range 5 * perGeneration {
		c.put(c.now(), fmt.Sprint("token ", i), auth.Caller{Client: fmt.Sprint(i)}, now.Add(time.Hour))
		if _, ok := c.get("token 0", now); !ok {
			t.Fatalf("a token in use is forgotten after %d others", i)
		}
	}
	if held := len(c.young) + len(c.old); held > 2*perGeneration {
		t.Errorf("it holds %d", held)
	}
	if _, ok := c.get("token 1", now); ok {
		t.Error("a token out of use is never forgotten")
	}
	if caller, ok := c.get(fmt.Sprint("token ", 5*perGeneration-1), now); !ok || caller.Client != fmt.Sprint(5*perGeneration-1) {
		t.Errorf("the last token is %v, %v", caller, ok)
	}
}

func TestACollisionOfHashesIsNoHit(t *testing.T) {
	c, now, signature := newCache(), time.Now(), strings.Repeat("s", keyed)
	c.put(c.now(), "token."+signature, auth.Caller{Client: "c"}, now.Add(time.Hour))
	for _, other := range []string{"forged." + signature, signature, signature[1:]} {
		if _, ok := c.get(other, now); ok {
			t.Errorf("%s is found", other)
		}
	}
}

func TestAClearedCacheTakesNothingFromBefore(t *testing.T) {
	c, now := newCache(), time.Now()
	age := c.now()
	c.clear()
	c.put(age, "token", auth.Caller{}, now.Add(time.Hour))
	if _, ok := c.get("token", now); ok {
		t.Error("found")
	}
}
