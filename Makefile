# `make` lists the targets. A target installs everything it needs beyond Rust, Debian and root.

VERSION  := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
BINARIES := network-vhostuser-binding vhostuser-device-plugin vhostuser
STATIC   := x86_64-unknown-linux-gnu
TARGET   := $(abspath $(or $(CARGO_TARGET_DIR),target))
OUT      := $(TARGET)/$(STATIC)/release
BINARY   := $(OUT)/network-vhostuser-binding
# Packed relocations (glibc 2.36 and later) save 4 % of a position-independent static binary. The remapped paths are
# those of this machine, the last that fits counts; without them two directories give the same bytes.
STATIC_FLAGS := -C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs \
	--remap-path-prefix=$(CURDIR)=/vhostuser/src --remap-path-prefix=$(TARGET)=/vhostuser/target \
	--remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/vhostuser/cargo
# Of the last commit, so that images and the SBOM are the same whenever they are made.
export SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)
FUZZ_SECONDS ?= 30
# Tests that need more than Rust, so that they run only when they are named.
NAMED := cni-on-ovs dataplane documented image kustomize release
NAMED_TEST := cargo test --locked --workspace --test
# What tests/setup.sh has unpacked, before whatever else the machine has by these names.
TOOLS := $(or $(TOOLS_DIR),/var/tmp/vhostuser-tools)
WITH_TOOLS = PATH="$(TOOLS)/usr/sbin:$(TOOLS)/usr/bin:$$PATH"

REGISTRY  ?= localhost
IMAGE_TAG ?= v$(VERSION)
CONTAINER_TOOL ?= $(firstword $(foreach tool,buildah podman docker,$(if $(shell command -v $(tool)),$(tool))))
SIDECAR_IMAGE = $(REGISTRY)/network-vhostuser-binding:$(IMAGE_TAG)
NODE_IMAGE    = $(REGISTRY)/vhostuser-node:$(IMAGE_TAG)
# Docker has no such option, and its old builder stamps the present: its layers are the same in content only.
BUILD_IMAGE = $(CONTAINER_TOOL) build $(if $(findstring docker,$(CONTAINER_TOOL)),,--timestamp $(SOURCE_DATE_EPOCH)) \
	--build-arg VERSION=$(VERSION)

.PHONY: help demo test full loaded check unit deny fuzz programs cni-on-ovs dataplane bench count build dist release-test sbom \
	reproducible image image-names image-test push documented manifests stats clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: ## Show the main job: a VM's domain gets its vhost-user NICs, the way virt-launcher asks for them
	@cargo build --quiet --workspace --bins --example demo
	@$(TARGET)/debug/examples/demo

# What needs no VM comes first.
test: check stats unit demo manifests cni-on-ovs deny fuzz image-test release-test documented dataplane ## Run every test (root; about 40 minutes on a fresh machine with two cores)

full: test count ## Also run what takes too long for each change: instruction counts, the dataplane on an older Debian, and the tests on a busy machine
	$(MAKE) --no-print-directory cni-on-ovs dataplane DATAPLANE_STACK=bookworm
	$(MAKE) --no-print-directory loaded

loaded: ## Run the tests while every core is busy with something else (root; several hours)
	tests/loaded.sh

check: ## Check format, lints and documentation
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --workspace $(NAMED:%=--test %) -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --document-private-items

unit: ## Run every test that needs no dataplane (root, for the tests with users and namespaces of their own)
	tests/setup.sh unit
	cargo test --locked --workspace

deny: ## Check the licences, bans and advisories of the dependencies
	tests/setup.sh deny
	tests/deny.sh

fuzz: ## Fuzz the parsers and the XML edit for a bounded time
	tests/setup.sh fuzz
	tests/fuzz.sh $(FUZZ_SECONDS)

# With the features that the workspace's tests ask for: nothing is compiled a second time for another selection of packages.
programs:
	cargo build --locked --workspace --bins $(NAMED:%=--test %)

cni-on-ovs: programs ## Test the CNI plugin on real OVS-DPDK, without VMs (root)
	tests/dataplane/setup.sh switch
	$(NAMED_TEST) cni-on-ovs

dataplane: programs ## Test with real libvirt, QEMU and OVS-DPDK, with live migration (root)
	tests/dataplane/setup.sh
	$(NAMED_TEST) dataplane

build: ## Build the sidecar, the device plugin and the CNI plugin, each as one static binary
	RUSTFLAGS='$(STATIC_FLAGS)' cargo build --locked --release --bins --target $(STATIC)
	@mkdir -p dist
	@install -m 0755 $(BINARIES:%=$(OUT)/%) dist
	@cd dist && ls -l $(BINARIES)

dist: build sbom ## Build a release in dist/: binaries, SBOM and checksums
	cd dist && sha256sum $(BINARIES) sbom.cdx.json > SHA256SUMS
	@cat dist/SHA256SUMS

release-test: dist reproducible ## Check what a release contains, and that everyone gets the same bytes
	$(NAMED_TEST) release

sbom: ## Write the SBOM of the binaries (CycloneDX), from the lock file
	tests/setup.sh sbom
	tests/sbom.sh dist/sbom.cdx.json

reproducible: ## Build twice in different directories and compare the bytes
	tests/setup.sh reproducible
	tests/reproducible.sh

image: build ## Build both images, with buildah, podman or docker (CONTAINER_TOOL, REGISTRY, IMAGE_TAG)
	@test -n "$(CONTAINER_TOOL)" || { echo "none of buildah, podman and docker is installed" >&2; exit 1; }
	$(BUILD_IMAGE) -f Containerfile -t $(SIDECAR_IMAGE) dist
	$(BUILD_IMAGE) -f Containerfile.node -t $(NODE_IMAGE) dist

image-names:
	@echo sidecar $(SIDECAR_IMAGE)
	@echo node $(NODE_IMAGE)

push: ## Push both images to REGISTRY
	$(CONTAINER_TOOL) push $(SIDECAR_IMAGE)
	$(CONTAINER_TOOL) push $(NODE_IMAGE)

image-test: programs ## Build the images, and run their binaries from their own root file systems (root)
	tests/setup.sh image
	tests/image/run.sh

documented: programs ## Run every command in the documentation as written (root)
	tests/setup.sh documented
	DATAPLANE_STACK=trixie tests/dataplane/setup.sh
	DATAPLANE_STACK=trixie $(WITH_TOOLS) $(NAMED_TEST) documented -- --test-threads=1

manifests: ## Check manifests and examples as kubectl kustomize builds them
	tests/setup.sh manifests
	$(WITH_TOOLS) $(NAMED_TEST) kustomize

bench: build ## Measure speed, memory and size
	SIDECAR=$(CURDIR)/$(BINARY) cargo bench --locked --bench footprint --bench define --bench hook
	DEVICE_PLUGIN=$(CURDIR)/dist/vhostuser-device-plugin cargo bench --locked -p device-plugin --bench device_plugin

count: ## Count the sidecar's instructions beside a bare server's; ACCEPT=--accept sets the new baseline
	tests/setup.sh count
	RUSTFLAGS='$(STATIC_FLAGS)' cargo build --locked --release --target $(STATIC) -p network-vhostuser-binding -p limit --bins
	$(OUT)/limit $(OUT) $(ACCEPT)

stats: ## Print lines of product code, and the sizes of files and functions
	@cargo run --quiet --locked -p repository --example stats

clean: ## Remove what was built
	cargo clean
