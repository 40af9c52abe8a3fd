package provider

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// shortest is the length of the shortest name that is taken for a secret's:
// "key" and "ca" may mean anything.
const shortest = 4

// SecretsIn lists the JSON pointers of what has no place in the metadata of an
// event, which is shown to everybody who sees the connection: members that are
// named like one which the file seals, however the words are joined, and texts
// that hold a private key.
func (p *Provider) SecretsIn(metadata []byte) []string {
	if len(metadata) <= len(`{}`) {
		return nil
	}
	var value any
	if json.Unmarshal(metadata, &value) != nil {
		return nil // the gate read it, so it is an object
	}
	return p.secretsIn("", value, nil)
}

func (p *Provider) secretsIn(at string, value any, found []string) []string {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if here := at + pointerTo(name); p.secretNames[plainName(name)] {
				found = append(found, here)
			} else {
				found = p.secretsIn(here, value[name], found)
			}
		}
	case []any:
		for i, item := range value {
			found = p.secretsIn(at+"/"+strconv.Itoa(i), item, found)
		}
	case string:
		if strings.Contains(value, "PRIVATE KEY-----") {
			found = append(found, at)
		}
	}
	return found
}

// plainName is a name without what people spell differently: api_key, apiKey
// and Api-Key are one.
func plainName(name string) string { return strings.ToLower(joints.Replace(name)) }

var joints = strings.NewReplacer("_", "", "-", "")

// secretNames are the plain names of the members that the file seals.
func (f file) secretNames() map[string]bool {
	names := map[string]bool{}
	for _, v := range f.Versions {
		for _, whole := range []map[string]any{v.Request, v.Callback, v.Configuration} {
			if whole == nil {
				continue
			}
			eachSchema("", whole, func(_ string, schema map[string]any) {
				for name := range members(schema, "properties") {
					if len(name) >= shortest && sealed(members(members(schema, "properties"), name)) {
						names[plainName(name)] = true
					}
				}
			})
		}
	}
	return names
}
