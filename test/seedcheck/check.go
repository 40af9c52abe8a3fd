package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"mooring/test/drive"
)

// checker replays one page against one server.
type checker struct {
	page
	server    *drive.Server
	client    *drive.Client
	tokens    map[string]string
	document  document
	operation object
	rows      []row
}

// check replays the page and returns its facts beside ours.
func check(p page, server *drive.Server) ([]row, error) {
	c := &checker{page: p, server: server, client: drive.NewClient(server.BaseURL), tokens: map[string]string{}}
	for name, who := range server.Clients() {
		token, err := c.client.Token(who)
		if err != nil {
			return nil, err
		}
		c.tokens[name] = token
	}
	published, err := c.client.Do(http.MethodGet, "/openapi.json", http.Header{}, nil)
	if err != nil {
		return nil, err
	}
	if c.document, err = parseDocument(published.Body); err != nil {
		return nil, err
	}
	if c.operation, err = c.document.operation(p.Method, p.Path); err != nil {
		return nil, err
	}
	for _, part := range []func() error{c.name, c.access, c.paths, c.requestBody, c.answers} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return c.rows, nil
}

func (c *checker) add(ok bool, what, documented, ours string, args ...any) {
	c.rows = append(c.rows, row{ok, what, documented, fmt.Sprintf(ours, args...)})
}

func (c *checker) name() error {
	c.add(c.operation["operationId"] == c.Page, "operation", c.Page, "%v", c.operation["operationId"])
	return nil
}

// access compares the way of authentication and the scopes, as published and
// as they work.
func (c *checker) access() error {
	scheme := c.document.resolve(dig(c.document.root, "components", "securitySchemes", "bearer"))
	nobody, err := c.replay("nobody", nil)
	if err != nil {
		return err
	}
	c.add(scheme["type"] == "http" && strings.EqualFold(fmt.Sprint(scheme["scheme"]), c.Security.Scheme) &&
		scheme["bearerFormat"] == c.Security.Format && nobody.Status == http.StatusUnauthorized,
		c.Security.Header, c.Security.Scheme+" "+c.Security.Format+" required", "published; without it %d", nobody.Status)

	var scopes []string
	alternatives, _ := c.operation["security"].([]any)
	for _, alternative := range alternatives {
		names, _ := dig(alternative, "bearer").([]any)
		for _, name := range names {
			scopes = append(scopes, fmt.Sprint(name))
		}
	}
	narrow, err := c.readOnlyToken()
	if err != nil {
		return err
	}
	c.tokens["reader"] = narrow
	reader, err := c.replay("reader", nil)
	c.add(slices.Equal(scopes, c.Scopes) && reader.Status == http.StatusForbidden,
		"scopes", strings.Join(c.Scopes, " or "), "%s; with read:accounts alone %d", strings.Join(scopes, " or "), reader.Status)
	return err
}

// readOnlyToken asks for fewer scopes than the page's caller has.
func (c *checker) readOnlyToken() (string, error) {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	header.Set("Authorization", drive.Basic(c.server.Clients()[c.Caller]))
	answer, err := c.client.Do(http.MethodPost, "/v1/oauth/token", header,
		[]byte("grant_type=client_credentials&scope=read%3Aaccounts"))
	if err != nil {
		return "", err
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	return token.AccessToken, json.Unmarshal(answer.Body, &token)
}

// paths compares each path parameter, as published and as it works.
func (c *checker) paths() error {
	published := map[any]object{}
	list, _ := c.operation["parameters"].([]any)
	for _, p := range list {
		parameter := c.document.resolve(p)
		published[parameter["name"]] = parameter
	}
	for _, p := range c.Parameters {
		schema := c.document.resolve(published[p.name]["schema"])
		ok := published[p.name]["in"] == "path" && published[p.name]["required"] == p.fact.Required &&
			schema["type"] == p.fact.Type &&
			(p.fact.Pattern == "" || schema["pattern"] == p.fact.Pattern) &&
			(p.fact.Enum == nil || sameWords(schema["enum"], p.fact.Enum)) &&
			(p.fact.Length == 0 || schema["minLength"] == float64(p.fact.Length) && schema["maxLength"] == float64(p.fact.Length))
		taken, err := c.count(p.name, p.fact.Enum, http.StatusOK)
		if err != nil {
			return err
		}
		refused, err := c.count(p.name, p.fact.Wrong, http.StatusBadRequest)
		if err != nil {
			return err
		}
		c.add(ok && taken == len(p.fact.Enum) && refused == len(p.fact.Wrong),
			"path "+p.name, p.fact.String(), "published: %t; %d of %d listed taken, %d of %d wrong ones refused",
			ok, taken, len(p.fact.Enum), refused, len(p.fact.Wrong))
	}
	return nil
}

// count sends the page's request with each value in the place of a parameter
// and counts the answers with the status.
func (c *checker) count(name string, values []string, status int) (n int, err error) {
	for _, value := range values {
		answer, err := c.replay(c.Caller, map[string]string{name: value})
		if err != nil {
			return 0, err
		}
		if answer.Status == status {
			n++
		}
	}
	return n, nil
}

// requestBody compares each member of the request, as published and, where it
// is required or an enumeration, as it works.
func (c *checker) requestBody() error {
	schema := dig(c.operation, "requestBody", "content", "application/json", "schema")
	for _, m := range c.Request {
		found, ok := c.document.find(schema, m.name)
		if !ok {
			c.add(false, "request "+m.name, m.fact.String(), "not published")
			continue
		}
		problem := m.fact.contradiction(found)
		ours := "published the same"
		if m.fact.Required {
			answer, err := c.send(c.Caller, nil, []byte("{}"))
			if err != nil {
				return err
			}
			named := strings.Contains(string(answer.Body), `"#/`+m.name+`"`)
			if answer.Status != http.StatusBadRequest || !named {
				problem = "its absence is not refused by name"
			}
			ours += "; without it 400"
		}
		for _, word := range append(slices.Clone(m.fact.Enum), "<another>") {
			if m.fact.Enum == nil {
				break
			}
			answer, err := c.send(c.Caller, nil, []byte(strings.Replace(c.Body, `"pending"`, `"`+word+`"`, 1)))
			if err != nil {
				return err
			}
			if taken := answer.Status == http.StatusOK; taken != slices.Contains(m.fact.Enum, word) {
				problem = fmt.Sprintf("%s is answered with %d", word, answer.Status)
			}
		}
		if problem != "" {
			ours = problem
		}
		c.add(problem == "", "request "+m.name, m.fact.String(), "%s", ours)
	}
	return nil
}

// answers sends the page's request as printed and compares each member of the
// answer, as published and as it came.
func (c *checker) answers() error {
	answer, err := c.replay(c.Caller, nil)
	if err != nil {
		return err
	}
	c.add(answer.Status == http.StatusOK && answer.Header.Get("Content-Type") == "application/json",
		"the request as printed", "200 application/json", "%d %s", answer.Status, answer.Header.Get("Content-Type"))
	body := []byte(c.Body)
	if c.FullBody != "" {
		body = []byte(c.FullBody)
	}
	for _, s := range c.BeforeTheAnswer {
		if _, err := c.do(s.Caller, s.Method, c.fill(s.Path, nil), []byte(s.Body)); err != nil {
			return err
		}
	}
	if answer, err = c.send(c.Caller, nil, body); err != nil {
		return err
	}
	var got any
	if err := json.Unmarshal(answer.Body, &got); err != nil {
		return err
	}
	response := c.document.resolve(dig(c.operation, "responses", "200"))
	schema := dig(response, "content", "application/json", "schema")
	for _, m := range c.Answer {
		found, ok := c.document.find(schema, m.name)
		value := last(got, m.name)
		problem := m.fact.mismatch(value)
		switch {
		case m.fact.Free:
		case !ok:
			problem = "not published"
		case problem == "":
			problem = m.fact.contradiction(found)
		}
		if problem == "" && m.fact.Unique != nil && len(value.([]any)) != 1 {
			problem = "the same request twice made two"
		}
		c.add(problem == "", "answer "+m.name, m.fact.String(), "%s", shown(value, problem))
	}
	return nil
}

// mismatch says how a value differs from the documented type, or "".
func (m member) mismatch(value any) string {
	ok := false
	switch v := value.(type) {
	case nil:
		return "not there"
	case string:
		ok = m.Type == "string" && hasFormat(v, m.Format) && (m.Enum == nil || slices.Contains(m.Enum, v))
	case float64:
		ok = m.Type == "number"
	case []any:
		ok = m.Type == "array"
	case object:
		ok = m.Type == "object"
	}
	if !ok {
		return fmt.Sprintf("%v is no %s", value, m)
	}
	return ""
}

func hasFormat(s, format string) bool {
	var err error
	switch format {
	case "uuid":
		err = uuid.Validate(s)
	case "date-time":
		_, err = time.Parse(time.RFC3339, s)
	}
	return err == nil
}

// last takes the value at a member path such as "events[].status", of the last
// element of each array on the way.
func last(value any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		name, isArray := strings.CutSuffix(step, "[]")
		value = dig(value, name)
		if list, ok := value.([]any); ok && isArray && len(list) > 0 {
			value = list[len(list)-1]
		}
	}
	return value
}

func shown(value any, problem string) string {
	if problem != "" {
		return problem
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	if len(text) > 60 {
		return string(text[:57]) + "..."
	}
	return string(text)
}
