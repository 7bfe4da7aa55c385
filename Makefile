# SPDX-License-Identifier: MIT
# The commands that people type. Meson builds; the scripts do the rest.

B ?= build
PREFIX ?= /usr/local
DESTDIR ?=
export LC_ALL = C.UTF-8

.PHONY: build help deps demo test mutants fuzz model coverage bench xen-test install uninstall clean \
	format lint

build: $(B)/build.ninja
	@ninja -C $(B)

help:
	@printf '%s\n' \
	  'make            build into $(B)/' \
	  'make deps       install the packages that are missing (scripts/deps.list);' \
	  '                NO_INSTALL=1 only lists them, here and below' \
	  'make demo       the main job on this machine, without Xen; no root' \
	  'make test       every test, plain and under sanitizers; T=name runs one' \
	  'make bench      what it is worth on this machine, with plots; in a few minutes;' \
	  '                FULL=1 the whole' \
	  'make mutants    every mutant must be killed by its tests; M=name runs one' \
	  'make fuzz       libFuzzer on each decoder of peer bytes; F="TARGET SECONDS"' \
	  'make model      the Spin models of the ring and of the connection' \
	  'make coverage   lines and branches that the tests reach' \
	  'make xen-test   the same binaries on real Xen in QEMU; as root;' \
	  '                C="CASE…" runs some, C=--list names them' \
	  'make lint       clang-tidy and shellcheck' \
	  'make format     clang-format all sources' \
	  'make install    DESTDIR=, PREFIX=$(PREFIX)' \
	  'make uninstall  removes what the last make install put there' \
	  'make clean      remove everything that was built'

$(B)/build.ninja:
	@scripts/deps build
	@meson setup $(B)

deps:
	@scripts/deps --verbose

demo:
	@scripts/deps build demo
	@$(MAKE) --no-print-directory build
	@EG_BUILD=$(B) scripts/demo

test:
	@scripts/deps build test
	@scripts/test $(T)

mutants:
	@scripts/deps build test
	@scripts/mutants $(M)

# What is not built yet says so.
model:
	@scripts/deps build test
	@scripts/model

coverage:
	@scripts/deps build test lint
	@scripts/coverage

fuzz:
	@test -x scripts/fuzz || { echo 'make $@: not in this version' >&2; exit 2; }
	@scripts/deps build test
	@scripts/fuzz $(F)

bench:
	@scripts/deps build bench
	@$(MAKE) --no-print-directory build
	@$(B)/bench/evergrant-bench scale $(if $(FULL),,--quick)
	@$(B)/bench/evergrant-bench micro $(if $(FULL),,--quick)
	@$(B)/bench/evergrant-bench peers $(if $(FULL),,--quick)

xen-test:
	@scripts/deps build xen
	@EG_BUILD=$(B) tests/xen/run $(C)

install: build
	@meson configure $(B) -Dprefix=$(PREFIX)
	@DESTDIR='$(DESTDIR)' meson install -C $(B)

uninstall:
	@ninja -C $(B) uninstall

clean:
	rm -rf build build-asan build-tsan build-fuzz build-cov build-model

format:
	@scripts/format

lint:
	@scripts/deps build lint
	@scripts/lint
