package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mooring/internal/account"
)

// The schemes of security. Tokens of every kind are sent as bearer tokens; the
// name tells them apart.
const (
	schemeBearer   = "bearer"
	schemeBasic    = "basic"
	schemeCallback = "callback"
	schemeProvider = "provider"
	schemeExchange = "exchange"
)

var methods = []string{"get", "put", "post", "delete", "patch"}

var evidences = []string{"seed", "documented-2026", "documented-2021", "inferred", "extension"}

var templateName = regexp.MustCompile(`\{([^{}/]*)\}`)

// readOperations turns the paths of the document into operations.
func (d *Document) readOperations() ([]*Operation, error) {
	var operations []*Operation
	var problems []string
	at := map[string]string{}
	paths := object(d.raw, "paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, _ := paths[path].(map[string]any)
		for _, method := range methods {
			raw, ok := item[method].(map[string]any)
			if !ok {
				continue
			}
			op, err := d.readOperation(path, method, item, raw)
			where := strings.ToUpper(method) + " " + path
			if err != nil {
				problems = append(problems, prefixLines(where, err))
				continue
			}
			if first, twice := at[op.ID]; twice {
				problems = append(problems, fmt.Sprintf("%s: operationId %s belongs to %s already", where, op.ID, first))
				continue
			}
			at[op.ID] = where
			operations = append(operations, op)
		}
	}
	return operations, joinLines(problems)
}

func (d *Document) readOperation(path, method string, item, raw map[string]any) (*Operation, error) {
	op := &Operation{
		ID:          text(raw, "operationId"),
		Method:      strings.ToUpper(method),
		Path:        path,
		Summary:     text(raw, "summary"),
		Description: text(raw, "description"),
		Tags:        texts(raw["tags"]),
		Function:    text(raw, "x-mooring-function"),
		Argument:    text(raw, "x-mooring-argument"),
		Action:      text(raw, "x-mooring-action"),
		Evidence:    text(raw, "x-evidence"),
		Extension:   raw["x-mooring-extension"] == true,
		OAuthErrors: text(raw, "x-mooring-errors") == "oauth",
		RawBody:     raw["x-mooring-body"] != nil,
		Rows:        text(raw, "x-mooring-body") == "rows",
		Budget:      text(raw, "x-mooring-budget"),
		MaxBody:     DefaultMaxBody,
		Raw:         raw,
		pointer:     "#/paths/" + escapeToken(path) + "/" + method,
	}
	if op.Function == "" {
		op.Function = op.ID
	}
	if op.Action == "" {
		op.Action = op.Function
	}
	var problems []error
	if op.ID == "" {
		problems = append(problems, errors.New("operationId is missing"))
	}
	if !slices.Contains(evidences, op.Evidence) {
		problems = append(problems, fmt.Errorf("x-evidence must be one of %s", strings.Join(evidences, ", ")))
	}
	for _, step := range []func(*Operation, map[string]any) error{
		d.readSecurity, readCallers, readMaxBody, d.readBody, readRaw, readBudget,
		func(op *Operation, _ map[string]any) error { return d.readParameters(op, item) },
	} {
		if err := step(op, raw); err != nil {
			problems = append(problems, err)
		}
	}
	return op, errors.Join(problems...)
}

// readSecurity fills Security. Silence is not consent: an operation that says
// nothing, and inherits nothing, is refused.
func (d *Document) readSecurity(op *Operation, raw map[string]any) error {
	value, ok := raw["security"]
	if !ok {
		value, ok = d.raw["security"]
	}
	alternatives, isList := value.([]any)
	if !ok || !isList {
		return errors.New("security is missing; a public operation says security: []")
	}
	schemes := object(object(d.raw, "components"), "securitySchemes")
	for _, alternative := range alternatives {
		names, _ := alternative.(map[string]any)
		if len(names) > 1 {
			return errors.New("security: one scheme for each alternative")
		}
		requirement := Requirement{}
		for name, scopes := range names {
			scheme := object(schemes, name)
			requirement.Scheme = strings.ToLower(text(scheme, "scheme"))
			requirement.Scopes = texts(scopes)
			if text(scheme, "type") != "http" || requirement.Scheme != schemeBearer && requirement.Scheme != schemeBasic {
				return fmt.Errorf("security: %q is not a security scheme of type http with scheme bearer or basic", name)
			}
			if requirement.Scheme == schemeBearer && slices.Contains([]string{schemeCallback, schemeProvider, schemeExchange}, name) {
				requirement.Scheme = name
			}
		}
		op.Security = append(op.Security, requirement)
	}
	return nil
}

func readCallers(op *Operation, raw map[string]any) error {
	for _, name := range texts(raw["x-mooring-callers"]) {
		kind := account.Kind(name)
		switch kind {
		case account.KindPlatform, account.KindPartner, account.KindMerchant:
			op.Callers = append(op.Callers, kind)
		default:
			return fmt.Errorf("x-mooring-callers: %q is no kind of account", name)
		}
	}
	return nil
}

// readBudget takes what the operation does as the default. One that never
// answers 503 has none.
func readBudget(op *Operation, raw map[string]any) error {
	if object(raw, "responses")["503"] == nil {
		if op.Budget != "" {
			return errors.New("x-mooring-budget: one that holds back answers 503")
		}
		return nil
	}
	switch {
	case op.Budget != "":
	case op.Method == "GET":
		op.Budget = budgetRead
	default:
		op.Budget = budgetWrite
	}
	if _, known := budgets[op.Budget]; !known {
		return fmt.Errorf("x-mooring-budget: there is no budget %q", op.Budget)
	}
	return nil
}

func readMaxBody(op *Operation, raw map[string]any) error {
	limit, ok := raw["x-mooring-max-body"]
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(fmt.Sprint(limit), 10, 64)
	if err != nil || n < 1 {
		return errors.New("x-mooring-max-body must be a number of bytes")
	}
	op.MaxBody = n
	return nil
}

// readRaw checks x-mooring-body: what is handed over raw is JSON.
func readRaw(op *Operation, raw map[string]any) error {
	value, given := raw["x-mooring-body"]
	switch {
	case !given:
		return nil
	case value != "raw" && value != "rows":
		return errors.New("x-mooring-body can only be raw or rows")
	case op.Body == nil || !slices.Equal(op.Body.Types, []string{typeJSON}):
		return fmt.Errorf("x-mooring-body: %s needs a requestBody of JSON alone", value)
	}
	return nil
}

func (d *Document) readBody(op *Operation, raw map[string]any) error {
	body, ok := raw["requestBody"].(map[string]any)
	if !ok {
		return nil
	}
	op.Body = &Body{}
	op.Body.pointer, op.Body.Raw = d.follow(op.pointer+"/requestBody", body)
	op.Body.Required = op.Body.Raw["required"] == true
	op.Body.Types = slices.Sorted(maps.Keys(object(op.Body.Raw, "content")))
	for _, mediaType := range op.Body.Types {
		if mediaType != typeJSON && mediaType != typeForm {
			return fmt.Errorf("requestBody: %s is not a media type that can be read", mediaType)
		}
	}
	if len(op.Body.Types) == 0 {
		return errors.New("requestBody: content is missing")
	}
	return nil
}

// readParameters collects the parameters of the path and of the operation,
// which wins, and compares them with the path template.
func (d *Document) readParameters(op *Operation, item map[string]any) error {
	base := op.pointer[:strings.LastIndexByte(op.pointer, '/')]
	d.collectParameters(op, item["parameters"], base+"/parameters")
	d.collectParameters(op, op.Raw["parameters"], op.pointer+"/parameters")
	var problems []error
	inTemplate := map[string]bool{}
	for _, match := range templateName.FindAllStringSubmatch(op.Path, -1) {
		inTemplate[match[1]] = true
		if !op.hasParameter("path", match[1]) {
			problems = append(problems, fmt.Errorf("path parameter {%s} is not declared", match[1]))
		}
	}
	for _, p := range op.Parameters {
		switch {
		case p.In == "path" && !inTemplate[p.Name]:
			problems = append(problems, fmt.Errorf("path parameter %q does not stand in the path", p.Name))
		case p.In != "path" && p.In != "query" && p.In != "header":
			problems = append(problems, fmt.Errorf("parameter %q: in %q is not supported", p.Name, p.In))
		case p.Raw["schema"] == nil:
			problems = append(problems, fmt.Errorf("parameter %q: schema is missing", p.Name))
		}
	}
	return errors.Join(problems...)
}

func (op *Operation) hasParameter(in, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p Parameter) bool { return p.In == in && p.Name == name })
}

func (d *Document) collectParameters(op *Operation, value any, pointer string) {
	list, _ := value.([]any)
	for i, item := range list {
		raw, _ := item.(map[string]any)
		p := Parameter{}
		p.pointer, p.Raw = d.follow(fmt.Sprintf("%s/%d", pointer, i), raw)
		p.In, p.Name = text(p.Raw, "in"), text(p.Raw, "name")
		p.Required = p.Raw["required"] == true || p.In == "path"
		same := func(other Parameter) bool { return other.In == p.In && other.Name == p.Name }
		if at := slices.IndexFunc(op.Parameters, same); at >= 0 {
			op.Parameters[at] = p
		} else {
			op.Parameters = append(op.Parameters, p)
		}
	}
}

func object(parent map[string]any, name string) map[string]any {
	child, _ := parent[name].(map[string]any)
	return child
}

func text(parent map[string]any, name string) string {
	s, _ := parent[name].(string)
	return s
}

func texts(value any) []string {
	list, _ := value.([]any)
	var all []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// integer reads a non-negative whole number of the document.
func integer(value any) (int, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(n.String())
	return i, err == nil && i >= 0
}

func element(list []any, token string) (any, bool) {
	i, err := strconv.Atoi(token)
	if err != nil || i < 0 || i >= len(list) {
		return nil, false
	}
	return list[i], true
}

func joinLines(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}

func prefixLines(where string, err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		lines[i] = where + ": " + lines[i]
	}
	return strings.Join(lines, "\n")
}
