package provider_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMetadataHasNoPlaceForWhatTheFileSeals(t *testing.T) {
	p, _ := acme(t).Get("acme")
	for metadata, want := range map[string][]string{
		``:   nil,
		`{}`: nil,
		`{"signature_link":"https://sig.example.com/K34K244","key":"value","brand":"b","account":"12345678903"}`:     nil,
		`{"apiSecret":"s","SECRET":1,"owners":[{"born":"1980-01-01"}],"born":null}`:                                  {"/SECRET", "/apiSecret", "/born", "/owners/0/born"},
		`{"file":"-----BEGIN EC PRIVATE KEY-----\nMHcC","a":["-----BEGIN PRIVATE KEY-----"],"b":"PRIVATE KEY of a"}`: {"/a/0", "/file"},
		`{"a/b":{"secret":1}}`:                           {"/a~1b/secret"},
		`{"api_secret":1,"Api-Secret":2,"apisecrets":3}`: {"/Api-Secret", "/api_secret"},
	} {
		if diff := cmp.Diff(want, p.SecretsIn([]byte(metadata))); diff != "" {
			t.Errorf("%s: %s", metadata, diff)
		}
	}
}
