// Package contract is the API as data: the OpenAPI description that the
// server executes and publishes.
//
// It owns the YAML files beside it and nothing else. It must never hold code.
package contract

import "embed"

// FS holds the fragments that gate assembles into one document.
//
//go:embed *.yaml
var FS embed.FS

// Packed is the same fragments in the form that the program reads when it
// starts. `go test ./contract -update` makes it.
//
//go:embed contract.packed
var Packed string
