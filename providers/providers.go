// Package providers is the payment providers as data: one file for each, read
// by the catalogue in internal/provider.
//
// It owns the YAML files beside it and nothing else. It must never hold code.
package providers

import "embed"

// FS holds the provider files.
//
//go:embed *.yaml
var FS embed.FS

// Packed is the same files in the form that the program reads when it starts.
// `go test ./contract -update` makes it.
//
//go:embed providers.packed
var Packed []byte
