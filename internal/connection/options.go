package connection

import "encoding/json"

// maxOption is how long the type of a payment option may be for lists to know
// it.
const maxOption = 128

// PaymentOptions are the types that the member payment_options of a
// configuration or of a signup names; nil when it has none.
func PaymentOptions(document []byte) []string {
	var said struct {
		Options []struct {
			Type string `json:"type"`
		} `json:"payment_options"`
	}
	// A provider's file may mean something else by the name.
	if document == nil || json.Unmarshal(document, &said) != nil {
		return nil
	}
	var types []string
	for _, option := range said.Options {
		if option.Type != "" && len(option.Type) <= maxOption {
			types = append(types, option.Type)
		}
	}
	return types
}
