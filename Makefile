# The two commands: `make demo` and `make test`. Everything else is a convenience.
PRESET ?= release
BUILD := build/$(PRESET)
RSR := $(BUILD)/rsr
PYTHON := .venv/bin/python
JOBS ?= $(shell nproc)
.DEFAULT_GOAL := help
.PHONY: help deps build python demo test test-cpp test-python test-fuzz fuzz bench format lint clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

deps: ## install what is missing (Debian or Ubuntu packages)
	@tools/install_deps.sh

build: deps ## build library, command and tests (PRESET=release|dev|asan|tsan)
	@cmake --preset $(PRESET) >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS)

# Compiler and flags of the release build: where there is a ccache, nothing is compiled twice.
python: deps ## build the Python package and install it, and what its tests need, in .venv
	@tools/install_deps.sh --python
	@CXX=$${CXX:-c++} CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) .venv/bin/pip install -q --disable-pip-version-check \
	  --config-settings=cmake.define.RSR_WERROR=ON .

demo: build ## build, then let the embedded model count from one to sixty
	$(RSR) run models/demo -p "Write the numbers from one to sixty in words separated by commas only:"

test: test-fuzz test-cpp test-python ## build and run every test: C++ with ctest, Python with pytest

test-cpp: build
	ctest --preset $(PRESET) -j $(JOBS)

test-python: build python
	RSR_BUILD=$(BUILD) $(PYTHON) -m pytest -q tests

SECONDS ?= 60
fuzz: deps ## run each reader of untrusted bytes on hostile input (SECONDS=60 each; needs clang)
	@echo 'int main() {}' | clang++ -x c++ -fsanitize=fuzzer-no-link,address - -o /dev/null && \
	  clang++ -print-file-name=libclang_rt.fuzzer-x86_64.a | grep -q / || \
	  { echo "error: make fuzz needs clang++ with libFuzzer: packages clang and libclang-rt-dev" >&2; exit 1; }
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz -j $(JOBS)
	@tests/fuzz/run.sh build/fuzz/fuzz $(SECONDS)

# Before the others: their closing lines stay the last ones.
test-fuzz:
	@$(MAKE) --no-print-directory fuzz SECONDS=10
test-cpp test-python: | $(if $(filter test,$(MAKECMDGOALS)),test-fuzz)

bench: ## measure this machine, this project and its rivals, and write docs/benchmarks.md (an hour or two; BENCH=--quick: minutes)
	@tools/install_deps.sh --bench
	@cmake --preset $(PRESET) -DRSR_RIVALS=ON >/dev/null
	@cmake --build --preset $(PRESET) -j $(JOBS) --target rsr_cli rivals
	$(PYTHON) bench/report.py --build $(BUILD) $(BENCH)

SOURCES = $(shell git ls-files '*.cc' '*.h' '*.inc')
format: deps ## lay out the C++ sources with clang-format
	clang-format -i $(SOURCES)

lint: build python ## clang-format and clang-tidy, warnings are errors
	clang-format --dry-run -Werror $(SOURCES)
	tools/run_clang_tidy.sh $(BUILD)
	tools/run_clang_tidy.sh build/python $(filter src/python/%.cc,$(SOURCES))

clean: ## remove what was built
	rm -rf build .venv
