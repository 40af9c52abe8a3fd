// Open-credentials is an example for a checkout: it opens what Mooring released
// to it, and shows how to get at one secret. It reads the answer of the API, or
// the age file that `mooring credentials release` prints, from standard input.
//
//	age-keygen -o key.txt
//	mooring credentials recipients add checkout "$(age-keygen -y key.txt)"
//	mooring credentials release --account T11223352 --connection payex --to checkout |
//	    go run ./examples/open-credentials -identity key.txt -secret /token
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// credentials is what is inside.
type credentials struct {
	Account    string `json:"account_id"`
	Connection string `json:"connection"`
	Versions   []struct {
		Version int64                      `json:"version"`
		InForce bool                       `json:"in_force"`
		Secrets map[string]json.RawMessage `json:"secrets"` // by JSON pointer
	} `json:"versions"`
}

func main() {
	identity := flag.String("identity", "key.txt", "file with the private key, as age-keygen writes it")
	name := flag.String("secret", "", "JSON pointer of the secret to print; all names are listed without it")
	flag.Parse()
	if err := run(*identity, *name, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "open-credentials:", err)
		os.Exit(1)
	}
}

func run(identity, name string, in io.Reader, out io.Writer) error {
	opened, err := open(identity, in)
	if err != nil {
		return err
	}
	for _, version := range opened.Versions {
		if name == "" {
			for pointer := range version.Secrets {
				fmt.Fprintf(out, "%s %s version %d (in force: %t) %s\n", opened.Account, opened.Connection, version.Version, version.InForce, pointer)
			}
			continue
		}
		if value, ok := version.Secrets[name]; ok { // the version in force comes first
			_, err := fmt.Fprintln(out, string(value))
			return err
		}
	}
	if name != "" {
		return fmt.Errorf("there is no secret %s", name)
	}
	return nil
}

func open(identity string, in io.Reader) (c credentials, err error) {
	file, err := os.Open(identity)
	if err != nil {
		return c, err
	}
	defer file.Close()
	identities, err := age.ParseIdentities(file)
	if err != nil {
		return c, err
	}
	sealed, err := io.ReadAll(in)
	if err != nil {
		return c, err
	}
	if len(bytes.TrimSpace(sealed)) == 0 {
		return c, errors.New("standard input is empty: was anything released?")
	}
	var answer struct{ Credentials string }
	if json.Unmarshal(sealed, &answer) == nil && answer.Credentials != "" {
		sealed = []byte(answer.Credentials)
	}
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(sealed)), identities...)
	if err != nil {
		return c, err
	}
	return c, json.NewDecoder(plain).Decode(&c)
}
