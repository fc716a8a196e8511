GO ?= go
# How long "make fuzz" spends on each target, and, where it is given, "make fuzz-corpus" in all.
FUZZTIME ?= 30s
# What "make fuzz-corpus" makes its mutations from; nothing is the time.
SEED ?=
# The packages that "make test" runs under the race detector.
RACE ?= ./...
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.7.0

# Modules of their own, below this one.
NESTED = source/s3

.PHONY: setup build demo test check bench fuzz fuzz-corpus clean

# What building with FFmpeg needs. Does nothing when it is there.
setup:
	@sh scripts/setup.sh

build:
	$(GO) build -o bin/sprocket ./cmd/sprocket

demo: setup build
	sh scripts/demo.sh

test: setup
	$(GO) vet ./...
	$(GO) test -timeout 30m ./...
	$(GO) test -timeout 30m -race -short $(RACE)
	cd hls/oracle && CGO_ENABLED=0 $(GO) test ./...
	CGO_ENABLED=0 $(GO) build ./...
	CGO_ENABLED=0 $(GO) vet ./...
	CGO_ENABLED=0 $(GO) test ./...
	@GO=$(GO) sh scripts/versitygw.sh
	for m in $(NESTED); do (cd $$m && $(GO) vet ./... && $(GO) test -race ./... && CGO_ENABLED=0 $(GO) build ./...) || exit 1; done

# What to run before sending a change.
check:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted" >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	for m in $(NESTED); do (cd $$m && $(GO) vet ./... && $(GO) mod tidy -diff && $(GO) run $(STATICCHECK) ./...) || exit 1; done
	$(GO) test ./internal/layers

# Go's own benchmarks, then this library against what else is on the machine, as ratios, into docs/bench.
bench: setup build
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) run ./internal/bench -n 3 -out docs/bench

# Every fuzz target, FUZZTIME each.
fuzz: setup
	@GO=$(GO) FUZZTIME=$(FUZZTIME) sh scripts/fuzz.sh

# Broken copies of every file of the corpus, in children that are watched for crashes, hangs and memory: for 3 minutes, or FUZZTIME.
fuzz-corpus:
	CGO_ENABLED=0 $(GO) run ./internal/fuzzcorpus -time $(if $(filter file,$(origin FUZZTIME)),3m,$(FUZZTIME)) $(if $(SEED),-seed $(SEED))

clean:
	rm -rf bin demo
