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

// Run prints the version.
func (versionCommand) Run(stdio Stdio) error {
	_, err := fmt.Fprintln(stdio.Out, versionLine())
	return err
}

// versionLine is the version, the revision it was built from when the build
// knows it, and the Go release.
func versionLine() string {
	return fmt.Sprintf("mooring %s%s %s %s/%s", Version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
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
