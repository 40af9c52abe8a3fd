package connection

import (
	"bytes"

	"mooring/internal/provider"
)

// ApplyReport takes in what a provider answered about a connection's status.
// It records an event only when the report changes the status or the
// configuration, and says whether it did.
func ApplyReport(c *Connection, r provider.Report, act Act) (bool, error) {
	status := Status(r.Status)
	configured := r.Configuration != nil && !bytes.Equal(r.Configuration, c.Configuration)
	if status == c.Status && !configured {
		return false, nil
	}
	if _, err := Append(c, NewEvent{Status: status, Name: r.Event}, act); err != nil {
		return false, err
	}
	if configured {
		c.Configuration = r.Configuration
	}
	return true, nil
}
