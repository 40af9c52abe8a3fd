# Mooring. `make help` lists the targets; `make test` is what must be green.

TOOL := go tool -modfile=tools.mod

.PHONY: help build test stories table seed-check interop fleet bench bench-operators bench-smoke bench-parts bench-holes soak-hooks failover pooler differential strict format need

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

bench: ## the goals of docs/performance.md, beside other servers; ARGS="-only G1,G7" for some of them, "-h" for more
	@test/need.sh postgresql node
	cd bench && go run . $(ARGS)

bench-operators: ## what operators wait for: imports, pages of big databases, sync, restore
	cd bench && go run . -operators $(ARGS)

bench-smoke: ## see that what measures runs, on small databases
	@test/need.sh postgresql node
	cd bench && go vet ./... && go test ./load && go run . -quick && go run . -quick -operators

bench-parts: ## the Go benchmarks of all packages
	@test/need.sh postgresql
	go test -run '^$$' -bench . -benchmem -timeout 60m ./...

bench-holes: ## how soon hooks are told, beside endpoints that never answer
	@test/need.sh postgresql
	cd bench && go test -run '^$$' -bench BlackHoles -benchtime 1x -timeout 30m ./hooks

fleet: ## three nodes on one PostgreSQL: killed, paused, restarted and replaced under load, for longer; fifty races to migrate
	@test/need.sh postgresql
	go test -count 1 -timeout 30m ./test/fleet -v -faults 20
	go test -count 1 -timeout 30m ./internal/store -run TestNodesThatStartTogetherMigrateOnce -races 50

failover: ## kill a primary under writers, promote its standby, and say how soon writes are acknowledged again
	@test/need.sh postgresql
	go test -count 1 -v ./internal/store -run TestASynchronousPair

pooler: ## start behind a real PgBouncer, which must be refused (make test does so behind a stand-in)
	@test/need.sh postgresql pgbouncer
	go test -count 1 -v ./internal/store -run TestAPooler

soak-hooks: ## a million deliveries to a receiver that was away for a day
	go test -count 1 -timeout 60m ./internal/dispatch -run TestManyDeliveries -soak 1000000

differential: ## thousands of generated requests to SQLite and to PostgreSQL, whose answers and rows must be the same
	@test/need.sh postgresql
	go test -count 1 -timeout 120m ./test/differential -seed $$(date +%s) -runs 50 -length 1000

strict: ## all that the store promises, all stories and the fleet of stores on a database that is as strict, and as unsure, as distributed ones
	@test/need.sh postgresql
	go test -count 1 -timeout 60m ./internal/store -run 'Strict|Node|Once|Race|Meet|NobodyHeard' -strict
	go test -count 1 -timeout 60m ./test/stories -run TestStories/strict -strict

format: ## rewrite the Go files the way `make test` wants them
	$(TOOL) gofumpt -w .
