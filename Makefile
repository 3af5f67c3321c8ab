# Each target sets up what it needs in .venv; it only requires Python >= 3.10 and a C++20 compiler.
PYTHON ?= python3
VENV ?= .venv
# Installed if the environment has no torch >= 2.10.
TORCH ?= torch==2.13.0
# Narrow test-versions and wheels, which use all by default, as with PYTHONS="3.12 /opt/python3.13/bin/python" TORCHES=2.15
PYTHONS ?=
TORCHES ?=
# Processes of the tests: a number, or auto for one a core.
JOBS ?= auto

PY := $(VENV)/bin/python
# One process for each core, of one thread each: threads of several processes would wait for each other. A file's
# tests stay together, for they share what they set up.
PYTEST = OMP_NUM_THREADS=1 $(PY) -m pytest -q -n $(JOBS) --dist loadfile --timeout 600
SOURCES := $(shell find csrc build_backend -type f ! -name '*.md') CMakeLists.txt setup.py pyproject.toml
CXX_FILES := $(shell find csrc tests -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh')

.DEFAULT_GOAL := help
.PHONY: help install demo docs test test-docs test-fast test-versions wheels sdist ci-wheels release-notes check lint types metadata cuda-check bench bench-compare bench-release bench-gpu gpu-binary sanitize cuda-sanitize format clean

help:  ## lists the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# For gpu-binary: the compute capability of the GPU, without its dot.
ARCH ?= 90
# Without an NVIDIA driver the CPU build of torch does; PyPI's for Linux brings gigabytes of CUDA.
CPU_TORCH := $(shell [ "$$(uname)" = Linux ] && ! command -v nvidia-smi >/dev/null && echo yes)
PIP_TORCH = $(PY) -m pip install -q '$(TORCH)'
ENSURE_TORCH = $(PY) -c 'import sys; sys.path.insert(0, "build_backend"); import torch_location; \
  sys.exit(torch_location.installed_torch() is None)' || \
  $(if $(CPU_TORCH),$(PIP_TORCH) --retries 1 --timeout 15 --index-url https://download.pytorch.org/whl/cpu 2>/dev/null ||) $(PIP_TORCH)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "swapnas_ext needs Python >= 3.10; choose one with: make PYTHON=python3.12 ..."; exit 1; }
	@echo "making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# The package alone. Rebuilds when the C++ or the packaging changes; an edit of Python needs no rebuild.
$(VENV)/installed: $(SOURCES) | $(PY)
	@echo "installing torch, unless there is one, and building the package ..."
	@start=$$(date +%s); { $(ENSURE_TORCH); } && middle=$$(date +%s) && $(PY) -m pip install -q -e . && \
	  echo "[torch: $$((middle - start)) s, the package: $$(($$(date +%s) - middle)) s]"
	@touch $@

# What the tests need besides.
$(VENV)/installed-with-tests: pyproject.toml $(VENV)/installed
	$(PY) -m pip install -q -e '.[test]'
	@touch $@

$(VENV)/check-tools: pyproject.toml | $(PY)
	$(PY) -m pip install -q $$(sed -n '/^check = \[$$/,/^\]/p' pyproject.toml | sed '1d;$$d' | tr -d ',"')
	@touch $@

$(VENV)/cuda-check-tools: pyproject.toml | $(PY)
	$(PY) -m pip install -q $$(sed -nE 's/^cuda-check = \[(.*)\]/\1/p' pyproject.toml | tr -d ',"')
	@touch $@

$(VENV)/versions-tools: pyproject.toml | $(PY)
	$(PY) -m pip install -q $$(sed -nE 's/^versions = \[(.*)\]/\1/p' pyproject.toml | tr -d ',"')
	@touch $@

$(VENV)/docs-tools: pyproject.toml $(VENV)/installed-with-tests
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "the site needs Python >= 3.11; choose one with: make PYTHON=python3.12 VENV=.venv312 docs"; exit 1; }
	$(PY) -m pip install -q -e '.[docs]'
	@touch $@

$(VENV)/wheels-tools: pyproject.toml | $(PY)
	$(PY) -m pip install -q $$(sed -nE 's/^wheels = \[(.*)\]/\1/p' pyproject.toml | tr -d ',"')
	@touch $@

$(VENV)/bench-tools: pyproject.toml $(VENV)/installed
	$(PY) -m pip install -q -e '.[bench]'
	@touch $@

install: $(VENV)/installed  ## builds and installs the package into .venv

demo: install  ## installs the package, scores networks whose accuracies are known, and searches for the best
	@$(PY) examples/demo.py

test: $(VENV)/installed-with-tests  ## runs the C++ and the Python tests
	$(PY) -m pip install -q 'cmake>=3.24' ninja
	PATH="$(abspath $(VENV))/bin:$$PATH" sh tests/cpp/run.sh
	$(PYTEST) -m "not docs" --durations=20

test-fast: $(VENV)/installed-with-tests  ## runs the Python tests except the slow ones
	$(PYTEST) -m "not slow and not docs"

docs: $(VENV)/docs-tools  ## builds the site into build/docs/html; needs Python >= 3.11
	$(PY) -m sphinx -q -W --keep-going -b html -d build/docs/doctrees docs build/docs/html
	@echo "open build/docs/html/index.html"

test-docs: $(VENV)/docs-tools  ## runs the code of README.md and docs/, and the tutorials, and compares what they print
	OMP_NUM_THREADS=1 $(PY) -m pytest -q -m docs -n $(JOBS) --timeout 1800 --durations=10 tests/docs

test-versions: $(VENV)/versions-tools  ## tests one binary in every torch >= 2.10; gigabytes, an hour
	$(PY) tests/versions.py $(PYTHONS:%=--python %) $(TORCHES:%=--torch %)

wheels: $(VENV)/wheels-tools  ## builds and tries a wheel for each Python from 3.10 to 3.14; writes dist/
	$(ENSURE_TORCH)
	$(PY) tests/wheels.py --torch '$(TORCH)' $(PYTHONS:%=--python %)

sdist: $(VENV)/wheels-tools  ## builds the source distribution; writes dist/
	$(PY) tests/wheels.py --only-sdist

ci-wheels: | $(PY)  ## builds wheels as the workflow does: with cibuildwheel, which needs Docker or macOS
	$(PY) -m pip install -q cibuildwheel==4.3.5
	$(PY) -m cibuildwheel --output-dir dist

release-notes:  ## checks that TAG (v1.2.3) can be released; writes build/release-notes.md
	$(PYTHON) tests/release_notes.py $(TAG)

check: lint types metadata  ## checks style, types and metadata: ruff, clang-format, mypy, schemas

lint: $(VENV)/check-tools
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/clang-format --dry-run -Werror $(CXX_FILES)

types: $(VENV)/check-tools $(VENV)/installed-with-tests
	$(PY) -m mypy

metadata: $(VENV)/check-tools
	$(VENV)/bin/validate-pyproject pyproject.toml
	for kind in workflows/*.yml:vendor.github-workflows ISSUE_TEMPLATE/[!c]*.yml:vendor.github-issue-forms \
	    ISSUE_TEMPLATE/config.yml:vendor.github-issue-config dependabot.yml:vendor.dependabot; do \
	  $(VENV)/bin/check-jsonschema --builtin-schema $${kind#*:} .github/$${kind%:*} || exit 1; done
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.citation-file-format --force-filetype yaml CITATION.cff
	$(VENV)/bin/zizmor --offline --quiet --config .github/zizmor.yml .github

cuda-check: $(VENV)/cuda-check-tools  ## compiles the CUDA kernels for every architecture; no GPU needed
	PATH="$$(echo $(abspath $(VENV))/lib/python3*/site-packages/nvidia/cu13/bin):$$PATH" \
	  $(PY) tests/cuda_check.py

bench: $(VENV)/bench-tools  ## measures; writes benchmarks/results/*.json
	$(PY) -m pytest benchmarks -q -s

# The commit, branch or tag; and further options, such as ARGS='--only count --budget 60'.
REF ?=
ARGS ?=
VERSIONS_TOOLS = $(PY) -m pip install -q 'cmake>=3.24' ninja 'pybind11>=2.13'

bench-compare: $(VENV)/bench-tools  ## compares the speed with REF, a commit; without it with the last release
	@$(VERSIONS_TOOLS)
	$(PY) benchmarks/compare_versions.py $(REF) $(ARGS)

bench-release: $(VENV)/bench-tools  ## measures a release (REF, or what is here) and draws all releases
	@$(VERSIONS_TOOLS)
	$(PY) benchmarks/release_results.py $(REF) $(ARGS)

bench-gpu:  ## builds, checks and measures on a GPU with the installed torch, in six minutes, without network
	$(PYTHON) benchmarks/gpu.py

gpu-binary: | $(PY)  ## builds the binary for another machine: make gpu-binary PYTHON=python3.12 ARCH=90
	$(ENSURE_TORCH)
	$(PY) -m pip install -q 'cmake>=3.24' ninja 'pybind11>=2.13'
	$(PY) benchmarks/gpu_binary.py --python $(PYTHON) --arch $(ARCH)

sanitize: $(PY)  ## runs the C++ tests under the address, undefined and thread sanitizers
	$(PY) -m pip install -q 'cmake>=3.24' ninja
	for kind in address undefined thread; do \
	  PATH="$(abspath $(VENV))/bin:$$PATH" sh tests/cpp/run.sh $$kind || exit 1; done

cuda-sanitize:  ## checks every kernel under compute-sanitizer (needs a GPU and the CUDA toolkit)
	@if PYTHONPATH=$(CURDIR) $(PYTHON) -c 'import swapnas_ext' 2>/dev/null; then \
	  export PYTHONPATH=$(CURDIR); python=$(PYTHON); \
	elif (cd tests && $(PYTHON) -c 'import swapnas_ext') 2>/dev/null; then python=$(PYTHON); \
	else $(MAKE) install && python=$(PY) || exit 1; fi; \
	for tool in memcheck racecheck synccheck initcheck; do \
	  PYTORCH_NO_CUDA_MEMORY_CACHING=1 compute-sanitizer --tool $$tool --error-exitcode 1 \
	    --kernel-name kns=swapnas $$python tests/cuda_sanitize.py --cases few || exit 1; done

format: $(VENV)/check-tools  ## rewrites the files in the project's style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(VENV)/bin/clang-format -i $(CXX_FILES)

clean:  ## removes all build products
	rm -rf build dist *.egg-info $(VENV) swapnas_ext/*.so
