package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"mooring/internal/fault"
)

func TestAnErrorThatIsNoFaultTellsNothing(t *testing.T) {
	f := fault.From(fmt.Errorf("open /secret/path: %w", io.EOF))
	if f.Kind != fault.Internal || f.Code != fault.CodeInternal || f.Message != "unexpected error" {
		t.Errorf("got %+v", f)
	}
	if !errors.Is(f, io.EOF) {
		t.Error("the cause is lost to the log")
	}
}

func TestAFaultIsFoundInsideOtherErrors(t *testing.T) {
	f := fault.From(fmt.Errorf("read connection: %w", fault.Missing().Because(io.EOF)))
	if f.Kind != fault.NotFound || f.Message != "not found" || !errors.Is(f, io.EOF) {
		t.Errorf("got %+v", f)
	}
}

func TestBecauseLeavesTheOriginalAlone(t *testing.T) {
	original := fault.Missing()
	if caused := original.Because(io.EOF); original.Unwrap() != nil || caused.Unwrap() != io.EOF || original.Error() != "not found" {
		t.Error("Because changed the fault it was called on")
	}
}
