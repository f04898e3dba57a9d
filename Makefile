# Barnabas. `make run` starts a broker, `make test` proves it with Go alone; `make help` lists the rest.

GO        ?= go
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS   := -s -w -X barnabas/internal/cli.Version=$(VERSION)
PREFIX    ?= /opt/kafka
DESTDIR   ?=
FUZZTIME  ?= 10m

# Packages of unit tests and scenarios; end-to-end tests start real processes and run apart.
UNIT = $(shell $(GO) list ./... | grep -v -e /test/)

export CGO_ENABLED ?= 0

.PHONY: help run build install test check format vet staticcheck unit race e2e sim mutants spec interop conformance image bench trials pods apiserver fuzz clean

help:              ## list the targets
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | awk -F ':.*## *' '{printf "%-14s %s\n", $$1, $$2}'

run: build         ## start a broker, its keeper inside, on 127.0.0.1:9092
	bin/barnabas server --override keeper.listener=127.0.0.1:2181

build:             ## build bin/barnabas and the links by Kafka's names beside it
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/barnabas ./cmd/barnabas
	@bin/barnabas install-links bin

install: build     ## install to $(PREFIX)/bin, by Kafka's names too
	install -D -m 755 bin/barnabas $(DESTDIR)$(PREFIX)/bin/barnabas
	$(DESTDIR)$(PREFIX)/bin/barnabas install-links $(DESTDIR)$(PREFIX)/bin

test: build        ## unit tests, scenarios, simulator, end to end: Go alone
	$(GO) test -p 2 -timeout 8m ./...
	cd test/kubernetes && $(GO) test -vet=off -timeout 4m ./chart   # what Helm brings along takes long to vet

check: format vet staticcheck race   ## what main must always pass

format:
	@files=$$(gofmt -l cmd internal test bench sim deploy 2>/dev/null); \
	if [ -n "$$files" ]; then echo "gofmt -w is due on:"; echo "$$files"; exit 1; fi

vet:
	$(GO) vet ./...
	cd test/kubernetes && $(GO) vet ./...

staticcheck:
	$(GO) tool staticcheck ./...

unit:              ## unit tests and scenarios only
	$(GO) test -p 2 $(UNIT)

race:
	CGO_ENABLED=1 $(GO) test -p 2 -race -timeout 15m $(UNIT)

sim: SHELL := bash
sim: .SHELLFLAGS := -o pipefail -c
sim:               ## deciding parts, then whole brokers under seeded faults: make sim SEEDS=10000 [FROM=1]
	$(GO) test ./sim/step ./sim -v -run 'Seeds$$' -timeout 0 -seeds $(or $(SEEDS),1000) -from $(or $(FROM),1) | grep -v '^ *\(===\|--- PASS\)'

mutants:           ## plant bugs into the rooms that decide: the simulator has to find each
	$(GO) test ./sim -run TestMutants -mutants -v -timeout 40m

spec:              ## TLC checks the model of docs/spec: make spec [SIZE=large]
	SIZE=$(SIZE) docs/spec/check

interop: build     ## the real clients of other languages
	test/interop/run

conformance: build ## Kafka's own tests: make conformance CLASS="PlaintextConsumerPollTest ..."
	test/conformance/run $(CLASS)

image:             ## the container image for amd64 and arm64: dist/barnabas.oci.tar
	$(GO) run ./deploy/image

bench: build       ## side by side with Apache Kafka, NATS and the machine's limit: make bench ARGS="-case small -rounds 5"
	$(GO) run ./bench $(ARGS)

trials: build      ## nodes that are stopped, wiped and started empty under load: make trials ARGS="-trial A,D -kafka"
	$(GO) run ./test/trials $(ARGS)

pods:              ## the recipe's and the chart's pods in network namespaces, with the long trials: make pods ARGS="-run Restart"
	cd test/kubernetes && LONG=1 $(GO) test ./pods -count=1 -v -timeout 30m $(ARGS)

apiserver:         ## a real Kubernetes API server, built from its Go module (a quarter of an hour, once), judges deploy/ and answers pods
	cd test/kubernetes && $(GO) test ./server -vet=off -count=1 -v -timeout 90m $(ARGS)

fuzz:              ## every native fuzzer for FUZZTIME (10m)
	test/fuzz $(FUZZTIME)

clean:
	rm -rf bin dist
