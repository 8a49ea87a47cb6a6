# Everything sets up what it needs first; a second run skips what is there.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-style test-unit test-clients test-media test-pod test-serve test-store test-cluster bench cluster cluster-down fmt lint

stage := scripts/stage
# These wait for most of their time and measure no pictures: several at once.
waiting_media := bad_input:: login:: kill::a_halted

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## install the Debian packages that building, recording and testing need
	@scripts/setup

demo: ## record a page for 10 s to recordings/demo.mp4: make demo [URL=https://…]
	@scripts/setup build run demo
	@cargo build --release --locked
	@scripts/demo $(if $(URL),'$(URL)')

test: setup ## all set-up, then every test
	@$(stage) test-style $(MAKE) --no-print-directory test-style
	@$(stage) test-unit $(MAKE) --no-print-directory test-unit
	@$(stage) test-clients $(MAKE) --no-print-directory test-clients
	@$(stage) test-media $(MAKE) --no-print-directory test-media
	@$(stage) test-pod $(MAKE) --no-print-directory test-pod
	@$(stage) test-serve $(MAKE) --no-print-directory test-serve
	@$(stage) test-store $(MAKE) --no-print-directory test-store
	@$(stage) test-cluster $(MAKE) --no-print-directory test-cluster

test-style: ## formatting and clippy
	@cargo fmt --check
	@cargo clippy --locked --all-targets -- -D warnings
	@cargo clippy --locked --test api --test chart --test clients --test cluster --test media --test pod --test serve --test store -- -D warnings

test-unit: ## every other test: no Chrome, no X
	@cargo test --locked

test-clients: setup ## panorec action and the samples of docs/samples against a real panorec serve (ONLY=name)
	@scripts/setup clients
	@cargo test --locked --test clients -- --show-output $(ONLY)

test-media: setup ## real recordings of real pages, measured (ONLY=name: those whose name has it)
	@media_tests() { cargo test --locked --release --test media -- --show-output "$$@"; } && \
	  $(if $(ONLY),media_tests --test-threads=1 $(ONLY),media_tests --test-threads=4 $(waiting_media) && \
	    media_tests --test-threads=1 $(waiting_media:%=--skip %))

test-pod: setup ## a recorder pod's containers as processes, killed and restarted
	@cargo test --locked --release --test pod -- --test-threads=1 --show-output $(ONLY)

test-serve: setup ## `panorec serve` over HTTP: conformance, a recording's life, kills, keys (ONLY=name)
	@scripts/setup clients
	@cargo test --locked --release --test serve -- --test-threads=1 --show-output $(ONLY)

test-store: setup ## delivery to a real object store, with what happens on the way (ONLY=name)
	@scripts/setup store
	@PANOREC_TEST_STORE=$$(tests/store/versitygw/build) && export PANOREC_TEST_STORE && \
	  store_tests() { cargo test --locked --release --test store -- --show-output "$$@"; } && \
	  $(if $(ONLY),store_tests --test-threads=1 $(ONLY),store_tests --test-threads=3 --skip alone_ && store_tests --test-threads=1 alone_)

test-cluster: setup ## recordings on a real Kubernetes node, or on the cluster of KUBECONFIG with PANOREC_TEST_IMAGE
	@tests/cluster/run $(ONLY)

bench: setup ## panorec against Xvfb + FFmpeg x11grab in the same run, as a table
	@cargo build --release --locked
	@/usr/bin/python3 tests/media/bench/bench.py $(BENCH)

cluster: ## a real Kubernetes node with panorec installed, to try it by hand (as root; the first time 20 min)
	@scripts/setup build cluster
	@tests/cluster/node/build >/dev/null
	@cargo build --release --locked
	@tests/cluster/node/up
	@tests/cluster/image/build
	@tests/cluster/install-here

cluster-down: ## stop it and remove all of it but its logs
	@tests/cluster/node/down

fmt: ## format the code
	@cargo fmt

lint: test-style ## test-style, and the licences and sources of the dependencies
	@scripts/deny
