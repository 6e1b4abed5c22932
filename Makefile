# Every task of the project, for people and for CI alike. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
CARGO := cargo --locked
TARGET := $(or $(CARGO_TARGET_DIR),target)
FUZZ_TARGETS := token json mutation revocation_story

.PHONY: help deps msrv build demo test check bench bench-100m bench-report fuzz fuzz-deps install

help: ## List the tasks.
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

deps: ## As root on Debian: install the system packages that some tests need. Elsewhere it says which.
	@if command -v c++ >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -q && apt-get install -y -q g++; \
	else echo 'deps: to compile the fuzz targets, install a C++ compiler (Debian: g++)'; fi

msrv: ## Check that the toolchain is as new as Cargo.toml asks.
	@want=$$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml); \
	have=$$(rustc --version 2>/dev/null | cut -d' ' -f2); \
	if [ -z "$$have" ]; then echo 'no rustc: install Rust from your distribution or by rustup' >&2; exit 3; fi; \
	if [ "$$(printf '%s\n' "$$want" "$$have" | sort -V | head -n1)" != "$$want" ]; then \
	  echo "rustc $$have is older than $$want, which signoff needs: rustup update" >&2; exit 3; fi; \
	echo "rustc $$have (needed: $$want or later)"

build: msrv ## Build target/release/signoff with every feature.
	$(CARGO) build --release --all-features

demo: build ## Sign, verify and show: the main job, in ten seconds.
	"$(TARGET)/release/signoff" demo

check: msrv ## Formatting, lints and documentation, warnings as errors.
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --all-targets --all-features -- -D warnings
	$(CARGO) clippy --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps --all-features

test: deps ## Everything that must hold: check, all tests, the demo. REQUIRE_ALL=1 makes a skip a failure.
	@echo 'test: formatting, lints, docs, then every test. About 6 minutes on two cores when nothing is built yet.'
	@started=$$(date +%s); skipped=; \
	$(MAKE) --no-print-directory check; \
	echo 'test: the library without features'; $(CARGO) test --no-default-features --lib; \
	echo 'test: everything with every feature'; $(CARGO) test --all-features; \
	if command -v c++ >/dev/null; then \
	  echo 'test: the fuzz targets compile'; $(CARGO) check --manifest-path fuzz/Cargo.toml; \
	else skipped='SKIPPED: compiling the fuzz targets, for want of a C++ compiler (Debian: g++)'; fi; \
	$(MAKE) --no-print-directory demo >/dev/null; echo 'test: make demo gives every verdict that it must'; \
	echo "test: passed in $$(( $$(date +%s) - started )) s"; \
	if [ -n "$$skipped" ]; then echo "$$skipped"; [ -z "$${REQUIRE_ALL:-}" ]; fi

bench: msrv ## Measure. Takes ten minutes and 3 GB of disk; see docs/performance.md.
	$(CARGO) bench --bench verify --bench screen --bench revoke
	$(CARGO) bench --bench process

bench-100m: msrv ## Measure with a hundred million revocations: some minutes, 12 GB of disk, 5 GB of memory.
	SCREEN_100M=1 $(CARGO) bench --bench screen -- '100m'
	MEMORY_100M=1 FIGURES=memory $(CARGO) bench --bench process

bench-report: ## Print the last measurement as JSON; write the table and chart of docs/performance.md.
	@$(CARGO) bench --quiet --bench report

fuzz-deps: ## Install cargo-fuzz, which needs a nightly toolchain.
	@rustup toolchain list | grep -q nightly || { echo 'fuzzing needs a nightly toolchain: rustup toolchain install nightly' >&2; exit 3; }
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz

fuzz: fuzz-deps ## Run each fuzz target for SECONDS (60 unless set): make fuzz SECONDS=600.
	cargo run --locked --quiet --manifest-path fuzz/Cargo.toml --bin seeds
	for target in $(FUZZ_TARGETS); do \
	  cargo +nightly fuzz run $$target -- -max_total_time=$(or $(SECONDS),60) -max_len=4096 -timeout=10; \
	done

install: build ## Install the command line to PREFIX (/usr/local).
	install -D -m 755 "$(TARGET)/release/signoff" '$(DESTDIR)$(or $(PREFIX),/usr/local)/bin/signoff'
