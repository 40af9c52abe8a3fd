package main

import "go.yaml.in/yaml/v3"

// ordered is a YAML mapping in the order in which it is written.
type ordered[T any] []named[T]

type named[T any] struct {
	name string
	fact T
}

// UnmarshalYAML reads the keys and values of the mapping one after the other.
func (o *ordered[T]) UnmarshalYAML(node *yaml.Node) error {
	for i := 0; i+1 < len(node.Content); i += 2 {
		n := named[T]{name: node.Content[i].Value}
		if err := node.Content[i+1].Decode(&n.fact); err != nil {
			return err
		}
		*o = append(*o, n)
	}
	return nil
}
