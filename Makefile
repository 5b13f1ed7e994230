# Everything a developer does here. `make` alone prints the list.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' ' \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 } \
	' $(firstword $(MAKEFILE_LIST))

##@ Start here

.PHONY: run
run: ## Build and serve on http://localhost:8000, with a database and demo data of its own
	@scripts/deps
	@cargo run -- serve

.PHONY: test
test: ## Run every test, on SQLite and on PostgreSQL
	@scripts/deps
	@scripts/test

##@ Before a commit

# What the tests were built with: `cargo run` chooses other features of the dependencies, and would build them all again.
BUILT = $${CARGO_TARGET_DIR:-target}/debug/bucketlist

.PHONY: check
check: ## Do what continuous integration does
	@scripts/deps lint
	@scripts/step "Formatting" cargo fmt --all --check
	@scripts/step "Lints" cargo clippy --locked --workspace --all-targets -- -D warnings
	@scripts/step "Build" cargo test --locked --workspace --no-run
	@scripts/step "The committed documents are the code's and break no client" $(BUILT) openapi check
	@scripts/step "The committed collection is the code's" $(BUILT) postman check
	@scripts/step "The committed .env.example is the code's" sh -c '$(BUILT) config example | diff .env.example -'
	@scripts/step "Licences, sources and advisories of the dependencies" scripts/deny --if-installed
	@$(MAKE) test

.PHONY: fmt
fmt: ## Format the code
	@cargo fmt --all

.PHONY: lint
lint: ## Lint the code; a warning is an error
	@cargo clippy --workspace --all-targets -- -D warnings

##@ What is generated

.PHONY: openapi
openapi: ## Write the documents in openapi/ from the endpoint traits
	@cargo run --quiet -- openapi write

.PHONY: breaking
breaking: ## Say what has changed in the contract since its last release; fail when that breaks a client
	@for released in openapi/released/*.json; do \
		document=openapi/$$(basename "$$released"); \
		scripts/step "$$document since its release" cargo run --quiet -- openapi diff "$$released" "$$document" || exit $$?; \
	done

.PHONY: postman
postman: ## Write the Postman collection in postman/ from the documents
	@cargo run --quiet -- postman write

.PHONY: env-example
env-example: ## Write .env.example from the table of variables
	@text=$$(cargo run --quiet -- config example) && printf '%s\n' "$$text" > .env.example

.PHONY: docs
docs: ## Write the code's documentation into target/doc
	@cargo doc --workspace --no-deps

##@ Now and then

.PHONY: coverage-contract
coverage-contract: ## Say which documented answers the tests have seen; fail when one was never seen
	@scripts/deps
	@scripts/coverage-contract

.PHONY: bench
bench: ## Measure calls, a flood of logins, kept failures, and speed over a million items (FORMAT=json for the claims as JSON)
	@scripts/deps
	@scripts/with-postgres cargo bench --bench calls
	@scripts/with-postgres cargo bench --bench flood
	@scripts/with-postgres cargo bench --bench capture
	@scripts/with-postgres cargo bench --bench pages -- --format $(or $(FORMAT),table)

.PHONY: torture
torture: ## Hold 10,000 generated requests, redacted, to the outcome of the originals
	@TORTURE=10000 cargo test --workspace --test integration a_redacted_request_ends_as_the_original_did -- --nocapture

.PHONY: contract
contract: ## Prove the contract: the documents' rules, what breaks clients, generated clients, Schemathesis, the pages
	@scripts/deps
	@scripts/contract

.PHONY: lint-spec
lint-spec: ## Hold the documents to the rules of Spectral, Redocly and openapi-generator
	@scripts/deps
	@scripts/lint-spec

.PHONY: clients
clients: ## Generate clients in seven languages, compile and run those it can (ONLY=language for one)
	@scripts/deps
	@scripts/clients $(if $(ONLY),--only $(ONLY))

.PHONY: schemathesis
schemathesis: ## Fuzz both versions with Schemathesis, on SQLite and on PostgreSQL (QUICK=yes for a short run)
	@scripts/deps
	@scripts/schemathesis $(if $(QUICK),--quick)

.PHONY: timing
timing: ## See whether the time of an answer tells who has an account
	@scripts/deps
	@scripts/with-postgres cargo bench --bench timing

.PHONY: newman
newman: ## Run the Postman collection with Newman, on SQLite and on PostgreSQL, and see that it notices what is wrong
	@scripts/deps
	@scripts/newman

.PHONY: replay
replay: ## Send every incident that was fixed again, on SQLite and on PostgreSQL: it must have stayed so
	@scripts/deps
	@scripts/replay

.PHONY: replay-proof
replay-proof: ## Prove that failures are sent again octet by octet and fail again
	@scripts/deps
	@scripts/replay-proof

.PHONY: browser-test
browser-test: ## Try every operation from /docs and read it in /redoc, in Chromium, against a server of its own
	@scripts/deps
	@scripts/browser-test

.PHONY: deny
deny: ## Check licences, advisories, duplicates and sources of the dependencies (INSTALL=yes installs cargo-deny)
	@INSTALL_TOOLS=$(INSTALL) scripts/deny

.PHONY: sbom
sbom: ## Write the bill of materials, as CycloneDX JSON, to target/sbom.cdx.json (INSTALL=yes installs cargo-cyclonedx)
	@INSTALL_TOOLS=$(INSTALL) scripts/sbom

.PHONY: scan
scan: ## Scan a server of its own over HTTPS: TLS, headers, methods; fail on anything above informational
	@scripts/deps
	@scripts/scan

.PHONY: clean
clean: ## Delete what was built; the data folder stays
	@cargo clean
