# `make` lists the targets. Everything a target needs beyond Rust, Debian and root it installs itself.

STATIC   := x86_64-unknown-linux-gnu
BINARY   := target/$(STATIC)/release/network-vhostuser-binding
# Packed relocations (glibc 2.36 and later) save 4 % of a position-independent static binary.
STATIC_FLAGS := -C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs
FUZZ_SECONDS ?= 30

.PHONY: help demo test check unit deny fuzz dataplane bench build clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: ## Show the main job: a VM's domain gets its vhost-user NICs, the way virt-launcher asks for them
	@cargo build --quiet
	@cargo run --quiet --example demo

test: check unit deny fuzz dataplane ## Pass every test (root; under twenty minutes on two fresh cores)

check: ## Format, lints, documentation
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --test dataplane -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

unit: ## Every test that needs no dataplane (root, for the tests with users and namespaces of their own)
	tests/setup.sh unit
	cargo test --locked

deny: ## Licences, bans and advisories of the dependencies
	tests/setup.sh deny
	tests/deny.sh

fuzz: ## Fuzz the parsers and the XML edit for a bounded time
	tests/setup.sh fuzz
	tests/fuzz.sh $(FUZZ_SECONDS)

dataplane: ## Real libvirt, QEMU and OVS-DPDK with live migration (root)
	tests/dataplane/setup.sh
	cargo test --locked --test dataplane -- --nocapture

build: ## The sidecar as one static binary
	RUSTFLAGS='$(STATIC_FLAGS)' cargo build --locked --release --target $(STATIC)
	@ls -l $(BINARY)

bench: build ## Measure speed, memory and size
	SIDECAR=$(CURDIR)/$(BINARY) cargo bench --locked --bench footprint --bench define --bench hook

clean: ## Remove what was built
	cargo clean
