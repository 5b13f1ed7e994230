# Development commands. `make` prints this list.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' ' \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 } \
	' $(firstword $(MAKEFILE_LIST))

##@ Start here

.PHONY: run
run: ## Build and start a server on http://localhost:8000 with a database and sample data
	@scripts/deps
	@cargo run -- serve

.PHONY: test
test: ## Run all tests on SQLite and PostgreSQL
	@scripts/deps
	@scripts/test

##@ Before a commit

# The binary built with the tests: `cargo run` selects other features of the dependencies and would rebuild them.
BUILT = $${CARGO_TARGET_DIR:-target}/debug/bucketlist

.PHONY: check
check: ## Run all checks of continuous integration
	@scripts/deps lint
	@scripts/step "Formatting" cargo fmt --all --check
	@scripts/step "Lints" cargo clippy --locked --workspace --all-targets -- -D warnings
	@scripts/step "Build" cargo test --locked --workspace --no-run
	@scripts/step "OpenAPI documents are current and have no breaking changes" $(BUILT) openapi check
	@scripts/step "Postman collection is current" $(BUILT) postman check
	@scripts/step ".env.example is current" sh -c '$(BUILT) config example | diff .env.example -'
	@scripts/step "Licenses, sources and advisories of dependencies" scripts/deny --if-installed
	@$(MAKE) test

.PHONY: fmt
fmt: ## Format the code
	@cargo fmt --all

.PHONY: lint
lint: ## Run Clippy with warnings as errors
	@cargo clippy --workspace --all-targets -- -D warnings

##@ Generated files

.PHONY: openapi
openapi: ## Generate the OpenAPI documents in openapi/
	@cargo run --quiet -- openapi write

.PHONY: breaking
breaking: ## Compare the API with its last release and with the merge base (BASE=main); fail on breaking changes
	@scripts/step "Breaking changes" cargo run --quiet -- openapi breaking --base "$${BASE:-main}"

.PHONY: postman
postman: ## Generate the Postman collection in postman/
	@cargo run --quiet -- postman write

.PHONY: env-example
env-example: ## Generate .env.example
	@text=$$(cargo run --quiet -- config example) && printf '%s\n' "$$text" > .env.example

.PHONY: docs
docs: ## Generate the API documentation of the code in target/doc
	@cargo doc --workspace --no-deps

##@ Further checks

.PHONY: coverage-contract
coverage-contract: ## Run the tests and list documented responses; fail if one never occurred
	@scripts/deps
	@scripts/coverage-contract

.PHONY: coverage
coverage: ## Run all tests with instrumented code; fail below 97 % of lines (INSTALL_TOOLS=yes installs cargo-llvm-cov)
	@scripts/deps
	@scripts/coverage

.PHONY: bench
bench: ## Measure throughput, login floods, incident capture, metrics and traces, a million items, and check docs/scaling.md (FORMAT=json for JSON)
	@scripts/deps
	@scripts/with-postgres cargo bench --bench calls
	@scripts/with-postgres cargo bench --bench flood
	@scripts/with-postgres cargo bench --bench capture
	@cargo bench --bench usage
	@scripts/with-postgres cargo bench --bench observability
	@scripts/with-postgres cargo bench --bench pages -- --format $(or $(FORMAT),table)
	@cargo bench --bench scaling

.PHONY: bench-http
bench-http: ## Measure requests over HTTP with wrk; SERVERS="old=BINARY new=BINARY" compares builds
	@scripts/deps http
	@cargo build --quiet --release --bin bucketlist
	@benches/http/run $(or $(SERVERS),current=target/release/bucketlist)

.PHONY: compare-http
compare-http: ## Compare requests over HTTP with other servers on SQLite and PostgreSQL: axum, poem, FastAPI, Fastify
	@scripts/deps http
	@cargo build --quiet --release --bin bucketlist
	@benches/http/contenders/compare

.PHONY: instructions
instructions: ## Count the instructions of hot paths with callgrind; fail above the baseline + 3 %
	@scripts/deps instructions
	@benches/instructions/run

.PHONY: instructions-update
instructions-update: ## Write the baseline of `make instructions`
	@scripts/deps instructions
	@benches/instructions/run --update

.PHONY: torture
torture: ## Verify that 10,000 redacted requests fail like the originals
	@scripts/deps
	@TORTURE=10000 scripts/test --workspace --test integration redacted_request_fails_like_the_original -- --nocapture

.PHONY: contract
contract: ## Run all contract checks: linters, breaking changes, clients, Schemathesis, browser tests
	@scripts/deps
	@scripts/contract

.PHONY: lint-spec
lint-spec: ## Lint the OpenAPI documents with Spectral, Redocly and openapi-generator
	@scripts/deps
	@scripts/lint-spec

.PHONY: clients
clients: ## Generate, compile and run clients in seven languages (ONLY=language for one)
	@scripts/deps
	@scripts/clients $(if $(ONLY),--only $(ONLY))

.PHONY: samples
samples: ## Run the code samples of every operation in seven languages
	@scripts/deps
	@scripts/samples

.PHONY: generators
generators: ## Generate and type-check code with orval, kubb, swagger-typescript-api, oazapfts and datamodel-code-generator
	@scripts/deps
	@scripts/generators

.PHONY: traffic
traffic: ## Validate recorded traffic with Prism and openapi-core
	@scripts/deps
	@scripts/traffic

.PHONY: schemathesis
schemathesis: ## Fuzz both versions on SQLite and PostgreSQL (QUICK=yes for a short run)
	@scripts/deps
	@scripts/schemathesis $(if $(QUICK),--quick)

.PHONY: timing
timing: ## Measure whether response times reveal which accounts exist
	@scripts/deps
	@scripts/with-postgres cargo bench --bench timing

.PHONY: newman
newman: ## Run the Postman collection on SQLite and PostgreSQL, and with manipulated responses
	@scripts/deps
	@scripts/newman

.PHONY: bruno
bruno: ## Import the Postman collection into Bruno and run it
	@scripts/deps
	@scripts/bruno

.PHONY: httpyac
httpyac: ## Run the .http files from top to bottom with httpYac
	@scripts/deps
	@scripts/httpyac

.PHONY: replay
replay: ## Replay fixed incidents on SQLite and PostgreSQL; fail on a regression
	@scripts/deps
	@scripts/replay

.PHONY: replay-proof
replay-proof: ## Verify that exported and replayed requests are sent byte for byte
	@scripts/deps
	@scripts/replay-proof

.PHONY: backup-rehearsal
backup-rehearsal: ## Back up and restore a database on both engines, and compare the data
	@scripts/deps
	@scripts/backup-rehearsal

.PHONY: prose
prose: ## Check the documentation against docs/glossary.md, and with textlint and cspell if npm is installed
	@scripts/deps
	@scripts/prose

.PHONY: browser-test
browser-test: ## Test the pages in Chromium
	@scripts/deps
	@scripts/browser-test

.PHONY: proxy-test
proxy-test: ## Test servers behind HAProxy, nginx and Apache: below a path, with the PROXY protocol, and with compression
	@scripts/proxy-test

.PHONY: deny
deny: ## Check licenses, advisories and sources of dependencies (INSTALL_TOOLS=yes installs cargo-deny)
	@scripts/deny

.PHONY: sbom
sbom: ## Generate the bill of materials in target/sbom.cdx.json (INSTALL_TOOLS=yes installs cargo-cyclonedx)
	@scripts/sbom

.PHONY: alerts
alerts: ## Check and test the alerts of Prometheus with promtool
	@scripts/deps alerts
	@scripts/step "Alerts" promtool check rules deploy/prometheus/alerts.yml
	@scripts/step "Tests of the alerts" promtool test rules tests/deploy/alerts.yml

.PHONY: pgbouncer
pgbouncer: ## Run the integration tests on PostgreSQL through PgBouncer in transaction mode
	@scripts/deps
	@scripts/pgbouncer-test

.PHONY: cluster
cluster: ## Start three servers behind HAProxy, PgBouncer, PostgreSQL with two standbys, Redis, and Prometheus; stop with Ctrl-C
	@scripts/cluster

.PHONY: cluster-test
cluster-test: ## Verify that a cluster loses no request when servers restart, reads no stale data, and loses no write when PostgreSQL fails over
	@scripts/cluster test

.PHONY: deploy-check
deploy-check: ## Check the files for Docker, Compose, systemd, Helm and GitHub, and list what could not be checked
	@scripts/deploy-check

.PHONY: scan
scan: ## Scan a temporary HTTPS server: TLS, headers, methods
	@scripts/deps
	@scripts/scan

.PHONY: clean
clean: ## Delete build output; keeps the data directory
	@cargo clean
