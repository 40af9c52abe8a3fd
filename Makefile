# Mooring. `make help` lists the targets; `make test` is what must be green.

TOOL := go tool -modfile=tools.mod

.PHONY: help build test stories table seed-check interop bench bench-tokens soak-hooks bench-hooks differential format need

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/mooring, static and stripped
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/mooring ./cmd/mooring

test: ## everything: format, vet, staticcheck, all tests with the race detector, a short fuzz pass
	@test/need.sh gcc postgresql
	@go run ./test/suite

stories: ## the product told in requests and answers, on SQLite and PostgreSQL
	@test/need.sh postgresql
	go test -count=1 ./test/stories

table: ## which answers of the documented connection operations the stories saw, as a table
	@go test ./test/stories -run '^TestStories$$' -count 1 -v -args -table | grep '^|'

seed-check: ## replay both documentation pages against a fresh server, field by field
	@go run ./test/seedcheck

interop: ## drive a fresh server with clients from npm, and let others verify its messages
	@test/need.sh node
	cd test/interop && npm ci --no-audit --no-fund && npm test

bench: ## benchmarks of the write path, the read path, hooks and what they stand on
	@test/need.sh postgresql
	go test -run '^$$' -bench . -benchmem -timeout 30m ./...

bench-tokens: ## how many tokens a second are issued, beside oidc-provider from npm
	@test/need.sh node
	cd test/interop && npm ci --no-audit --no-fund
	go run ./test/tokenbench

bench-hooks: ## how many hooks are told a second, beside a bare HTTP client and River; how soon, beside endpoints that never answer
	@test/need.sh postgresql
	go test -run '^$$' -bench . -benchtime 1x -timeout 30m ./test/hookbench

soak-hooks: ## a million deliveries to a receiver that was away for a day
	go test -count 1 -timeout 60m ./internal/dispatch -run TestManyDeliveries -soak 1000000

differential: ## thousands of generated requests to SQLite and to PostgreSQL, whose answers and rows must be the same
	@test/need.sh postgresql
	go test -count 1 -timeout 120m ./test/differential -seed $$(date +%s) -runs 50 -length 1000

format: ## rewrite the Go files the way `make test` wants them
	$(TOOL) gofumpt -w .
