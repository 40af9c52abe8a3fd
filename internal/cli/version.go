package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version is what `mooring version` prints; a release sets it when it links.
var Version = "0.1.0-dev"

type versionCommand struct{}

// Help is shown below the flags.
func (versionCommand) Help() string {
	return `Examples:
  mooring version
  mooring version | cut -d' ' -f2`
}

// Run prints the version, the revision it was built from when the build knows
// it, and the Go release.
func (versionCommand) Run(stdio Stdio) error {
	_, err := fmt.Fprintf(stdio.Out, "mooring %s%s %s %s/%s\n", Version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func revision() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return " (" + s.Value[:12] + ")"
		}
	}
	return ""
}
