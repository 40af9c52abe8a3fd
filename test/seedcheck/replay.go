package main

import (
	"net/http"
	"strings"

	"mooring/test/drive"
)

// replay sends the page's request with its printed body.
func (c *checker) replay(caller string, parameters map[string]string) (drive.Answer, error) {
	return c.send(caller, parameters, []byte(c.Body))
}

// send sends the page's request with another body.
func (c *checker) send(caller string, parameters map[string]string, body []byte) (drive.Answer, error) {
	return c.do(caller, c.Method, c.fill(c.Path, parameters), body)
}

// fill puts the test accounts, or what parameters say instead, into a path.
func (c *checker) fill(path string, parameters map[string]string) string {
	values := map[string]string{
		"oid": c.server.PartnerAccount, "aid": c.server.Account, "connection": "vipps",
	}
	if c.Caller == "partner" {
		values["aid"] = c.server.SecondAccount // whose connections are pending
	}
	for name, value := range values {
		if given, ok := parameters[name]; ok {
			value = given
		}
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return path
}

// do sends a request with the headers that the pages print, and no others.
func (c *checker) do(caller, method, path string, body []byte) (drive.Answer, error) {
	header := http.Header{}
	if token := c.tokens[caller]; token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	if len(body) > 0 {
		header.Set("Content-Type", "application/json")
	} else {
		body = nil
	}
	return c.client.Do(method, path, header, body)
}
