# Everything a user or a maintainer runs. GO, PREFIX, DESTDIR and FUZZTIME can be
# set from outside.
GO       ?= go
PREFIX   ?= /usr/local
DESTDIR  ?=
FUZZTIME ?= 1m

# urfave_cli_no_docs leaves out the man page generator, which is not used.
TAGS  := urfave_cli_no_docs
BUILD := $(GO) build -trimpath -buildvcs=auto -tags $(TAGS) -ldflags='-s -w'

# What is tested is what is built: static, with Go's own reading of /etc/passwd.
export CGO_ENABLED := 0

# What is for every system, and the processors that Linux is compiled for: of each
# kind one in CROSS, which lint vets, with words of 32 and 64 bits, either order.
PORTABLE := ./calc ./keepalive ./internal/middlebox ./cmd/tcpka
SYSTEMS  := darwin windows freebsd
CROSS    := 386 arm64 s390x
ALL_CROSS := amd64 $(CROSS) arm riscv64 ppc64le loong64 mips64le

.PHONY: help build test test-kernels lint cross vet-systems fuzz bench generate check-generate cover install uninstall clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build: ## build bin/tcpka, one static binary
	$(BUILD) -o bin/tcpka ./cmd/tcpka

# The limit is for what hangs; with other work beside it a package may take minutes.
# Most tests wait for timers: more of them at a time than there are processors.
test: ## run all tests; needs no root (TCPKA_REQUIRE=1: nothing may be skipped)
	@echo 'The first run downloads modules and compiles, for minutes. The tests take 3 to 10.'
	$(GO) test -timeout=60m -parallel=8 ./...

test-kernels: ## run the tests that ask the kernel on Debian's 6.1 and 6.12 under qemu, 10 to 40 minutes (KERNELS: names of images)
	$(GO) run ./internal/kernels $(KERNELS)

lint: ## gofmt, go vet, also for other systems and processors, staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'not formatted: run gofmt -w .'; exit 1; }
	$(GO) vet ./...
	$(GO) tool -modfile=tools.mod staticcheck ./...
	@$(MAKE) --no-print-directory vet-systems cross ALL_CROSS='$(CROSS)'

vet-systems:
	@set -e; for os in $(SYSTEMS); do echo "GOOS=$$os go vet $(PORTABLE)"; GOOS=$$os $(GO) vet $(PORTABLE); done

cross: ## go vet for every processor that Linux is compiled for; minutes at first
	@set -e; for arch in $(ALL_CROSS); do echo "GOOS=linux GOARCH=$$arch go vet ./..."; GOOS=linux GOARCH=$$arch $(GO) vet ./...; done

fuzz: ## fuzz every parser for FUZZTIME each
	@set -e; for dir in $$($(GO) list -f '{{.Dir}}' ./...); do \
	  for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go 2>/dev/null | cut -c6-); do \
	    echo "== $$dir $$f"; (cd $$dir && $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) .); \
	  done; \
	done

bench: build ## start-up beside sysctl -n, and as root sockets beside ss -tnop, retuning beside a bare walk (BENCH=-large: 200,000 too)
	@$(GO) build -o bin/bench ./internal/bench
	bin/bench $(BENCH) bin/tcpka

generate: ## compile the BPF programs again; wants clang-19 and libbpf-dev
	$(GO) generate ./...

check-generate: ## fail if a committed BPF object is not what its source compiles to
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && cp --parents sockets/bpf/*_bpfel.* internal/launch/bpf/*_bpfel.* internal/policy/bpf/*_bpfel.* "$$dir" && \
	$(GO) generate ./... && cd "$$dir" && \
	for f in sockets/bpf/* internal/launch/bpf/* internal/policy/bpf/*; do cmp "$$f" "$(CURDIR)/$$f" || exit 1; done

cover: ## test coverage, the tests in private namespaces included
	@rm -rf cover && mkdir cover
	$(GO) test -cover -coverpkg=./... ./... -args -test.gocoverdir=$(CURDIR)/cover
	$(GO) tool covdata textfmt -i=cover -o cover.out
	@$(GO) tool cover -func=cover.out | tail -1

bin/tcpka:
	$(MAKE) build

install: bin/tcpka ## install bin/tcpka and the completions under DESTDIR/PREFIX
	install -Dm755 bin/tcpka $(DESTDIR)$(PREFIX)/bin/tcpka
	install -Dm644 cmd/tcpka/completion/tcpka.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tcpka
	install -Dm644 cmd/tcpka/completion/tcpka.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_tcpka
	install -Dm644 cmd/tcpka/completion/tcpka.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/tcpka.fish

uninstall: ## remove what install put under DESTDIR/PREFIX
	rm -f $(DESTDIR)$(PREFIX)/bin/tcpka \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tcpka \
	  $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_tcpka \
	  $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/tcpka.fish

clean: ## remove what was built
	rm -rf bin cover cover.out
