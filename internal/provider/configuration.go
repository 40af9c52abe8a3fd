package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// CheckConfiguration says why a configuration that came by no operation of the
// contract, such as one in a gateway's answer, is none of this provider's: the
// first rule that it breaks, without any value. nil when it is one.
func (p *Provider) CheckConfiguration(configuration []byte) error {
	return p.checkConfiguration(configuration, false)
}

// CheckKept does the same for a configuration that another system kept. It may
// lack what must be there: secrets are shown by nobody.
func (p *Provider) CheckKept(configuration []byte) error {
	return p.checkConfiguration(configuration, true)
}

func (p *Provider) checkConfiguration(configuration []byte, partly bool) error {
	schema := p.file.current().Configuration
	if schema == nil {
		return fmt.Errorf("%s has no configuration", p.Slug)
	}
	decoder := json.NewDecoder(bytes.NewReader(configuration))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return errors.New("the configuration is not JSON")
	}
	broken := violationsOf(p.compiledConfiguration().Validate(value))
	if partly {
		broken = slices.DeleteFunc(broken, func(v violation) bool { return v.missing })
	}
	if len(broken) > 0 {
		return fmt.Errorf("the configuration's %q %s", broken[0].pointer, broken[0].reason)
	}
	if extra := undeclared(schema, value, ""); len(extra) > 0 {
		return fmt.Errorf("the configuration has no member %q", extra[0])
	}
	return nil
}

// lazily compiles a schema that was found sound when its file was read.
func lazily(schema map[string]any) func() *jsonschema.Schema {
	return sync.OnceValue(func() *jsonschema.Schema {
		compiled, err := compile(schema)
		if err != nil {
			panic(fmt.Sprintf("provider: a schema that was checked can't be compiled: %v", err))
		}
		return compiled
	})
}
