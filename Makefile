# Needs Python 3.11 or newer and make; uses uv where it is installed. `make` alone lists the targets.

VENV ?= .venv
# The first of these that is new enough makes the virtual environment. One of your own: make PYTHON=/opt/python3.12/bin/python
PYTHON ?= python3.13 python3.12 python3.11 python3
# For pytest: make test ARGS="-k checksum"; for the bench: make bench ARGS="--only stop-1"
ARGS ?=

PLUGINS := $(sort $(dir $(wildcard plugins/*/pyproject.toml)))
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml) constraints.txt

# Where make wheels, dist, man and deb write. make deb OFFLINE=1 takes the libraries from $(BUILD)/wheels, where an earlier one,
# or another machine, has put them.
BUILD ?= build
OFFLINE ?=

# The same pins for pip and for uv, for what is installed and for what builds it.
CONSTRAINTS ?= constraints.txt
export PIP_CONSTRAINT := $(CONSTRAINTS)
export PIP_BUILD_CONSTRAINT := constraints.txt
export UV_CONSTRAINT := $(CONSTRAINTS)
export UV_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help wheels dist version deb man demo parity incidents test test-long test-lowest check swarm worlds fuzz mutation bench conformance reference api clean

help:
	@echo "make demo    three routers and a client on this machine: kills, cuts and mends them, measures the outages"
	@echo "make test    the tests; those whose peer is missing are listed with the command that installs it"
	@echo "make test-long  minutes more: a live pair moves from keepalived to hafw, failures beside keepalived, the package with systemd, pages followed"
	@echo "make test-lowest  the fast tests with the lowest versions of all dependencies; make test PYTHON=python3.12 VENV=.venv-3.12: with another Python"
	@echo "make check   ruff, mypy strict, import-linter"
	@echo "make bench   hafw beside keepalived: 38 minutes; ARGS=--quick for a first look, ARGS=--list for what there is"
	@echo "make parity  thirty failures with keepalived, hafw and both; a live pair moves over; writes docs/parity.md; 3 minutes"
	@echo "make incidents  twelve incidents on real daemons, and what hafw says of them; writes docs/incidents.md; 2 minutes"
	@echo "make swarm   the election through worlds drawn by chance, for violated promises; SEEDS=100000 for more"
	@echo "make worlds  every interleaving of two and three routers; ARGS=--list for which there are, ARGS=--quick for a few"
	@echo "make fuzz    half a minute of input that nobody should send; SECONDS=600 for as many, with another seed each time"
	@echo "make mutation  small mistakes in the election, one at a time: does a test notice each? ARGS=hafw/vrrp/peer.py"
	@echo "make conformance  writes docs/conformance.md: what VRRP asks, and the tests that show it"
	@echo "make reference    writes docs/commands.md from the help of the commands, and what the pages show of commands, tests and plugins"
	@echo "make api     writes tests/plugins/api.txt: what plugins may rely on; refuses what would break one without a warning"
	@echo "make deb     a Debian package of hafw, its plugins and what they need: build/hafw_VERSION_ARCHITECTURE.deb"
	@echo "make dist    wheels and source distributions of hafw and its plugins: build/dist"
	@echo "make version VERSION=0.2.0  raises the version of all of them"
	@echo "make man     the man pages: build/man"
	@echo "make clean   removes $(VENV) and every cache"

demo: $(VENV)/.installed
	@echo "==> hafw demo"
	@$(VENV)/bin/hafw demo

test: $(VENV)/.installed-dev
	@echo "==> pytest"
	@$(VENV)/bin/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not long" $(ARGS)

test-long: $(VENV)/.installed-dev
	@echo "==> pytest: what takes minutes"
	@$(VENV)/bin/pytest -m long $(ARGS)

# With the lowest versions that pyproject.toml allows, in an environment of their own; what needs no root and no peer.
test-lowest:
	@$(MAKE) --no-print-directory VENV=.venv-lowest .venv-lowest/bin/python
	@.venv-lowest/bin/python deploy/lowest.py >.venv-lowest/lowest.txt
	@$(MAKE) --no-print-directory VENV=.venv-lowest CONSTRAINTS=.venv-lowest/lowest.txt \
		ARGS='-m "not wire and not peer and not long" $(ARGS)' test

# All of them, also after one that found something: one run tells everything.
check: $(VENV)/.installed-dev
	@status=0; \
	echo "==> ruff"; \
	$(VENV)/bin/ruff check --quiet || status=1; \
	$(VENV)/bin/ruff format --check --diff --quiet || status=1; \
	echo "==> mypy --strict"; \
	$(VENV)/bin/mypy --no-error-summary || status=1; \
	echo "==> import-linter"; \
	report=$$($(VENV)/bin/lint-imports --no-cache) || { echo "$$report"; status=1; }; \
	exit $$status

conformance: $(VENV)/.installed
	@$(VENV)/bin/python -m conformance

reference: $(VENV)/.installed-dev
	@HAFW_UPDATE_DOCS=1 $(VENV)/bin/pytest -q -m "not wire" tests/docs tests/plugins/test_docs.py

api: $(VENV)/.installed-dev
	@HAFW_UPDATE_API=1 $(VENV)/bin/pytest -q tests/plugins/test_docs.py -k stored

wheels: $(VENV)/.installed
	@echo "==> wheels of hafw and its plugins"
	@mkdir -p $(BUILD)/wheels
	@$(VENV)/bin/python -c 'import pip' 2>/dev/null || { $(call install,pip); }
	@$(VENV)/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir $(BUILD)/wheels . $(PLUGINS)

# The same octets wherever and whenever: hatchling takes names, modes and times from nowhere but the sources.
dist: $(VENV)/.installed
	@echo "==> wheels and source distributions of hafw and its plugins"
	@mkdir -p $(BUILD)/dist
	@into=$$(realpath $(BUILD)/dist) && python=$$(realpath -s $(VENV)/bin/python) && for each in . $(PLUGINS); do \
		(cd $$each && $$python -m hatchling build --directory $$into >/dev/null) || exit 1; \
	done

# make version VERSION=0.2.0: see CONTRIBUTING.md.
version: $(VENV)/.installed
	@$(VENV)/bin/python deploy/version.py $(VERSION)

man: $(VENV)/.installed
	@$(VENV)/bin/python deploy/manual.py $(BUILD)/man

deb: wheels
	@echo "==> Debian package"
	@$(VENV)/bin/python deploy/deb.py $(BUILD) $(BUILD)/wheels $(if $(OFFLINE),--offline)

bench: $(VENV)/.installed-bench
	@$(VENV)/bin/python -m bench --plots $(ARGS)

parity: $(VENV)/.installed
	@echo "==> parity"
	@$(VENV)/bin/python -m parity $(ARGS)

incidents: $(VENV)/.installed
	@echo "==> incidents"
	@$(VENV)/bin/python -m incidents $(ARGS)

swarm: $(VENV)/.installed
	@echo "==> swarm"
	@$(VENV)/bin/python -m hafw.sim $(SEEDS) $(ARGS)

worlds: $(VENV)/.installed
	@echo "==> worlds"
	@$(VENV)/bin/python -m hafw.sim.atlas $(ARGS)

# Without SECONDS every run is the same.
fuzz: $(VENV)/.installed-fuzz
	@echo "==> fuzz"
	@$(VENV)/bin/python -m fuzz $(SECONDS:%=--seconds %) $(ARGS)

# At low priority: it takes every processor for minutes.
mutation: $(VENV)/.installed-mutation
	@echo "==> mutation"
	@nice -n 19 $(VENV)/bin/python -m mutation $(ARGS)

clean:
	@for venv in $(VENV) .venv-lowest; do if [ -e $$venv/pyvenv.cfg ]; then rm -rf $$venv; fi; done
	@rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .fuzz .mutation
	@find . -name .git -prune -o -name __pycache__ -prune -exec rm -rf {} +

# $(call install,WHAT): pip comes with Python, uv is quicker.
install = if command -v uv >/dev/null; then uv pip install --quiet --python $(VENV)/bin/python $(1); \
	else $(VENV)/bin/python -m pip install --quiet $(1); fi

# $(call group,NAME): a dependency group of pyproject.toml.
group = $(VENV)/bin/python -c 'import tomllib; \
	print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["$(1)"], sep="\n")' >$(VENV)/$(1).txt && \
	{ $(call install,--requirement $(VENV)/$(1).txt); }

# What builds the distributions is installed once: pip would fetch it anew for every single one of them.
$(VENV)/.installed: $(PROJECTS) | $(VENV)/bin/python
	@echo "==> installing hafw and its plugins into $(VENV)"
	@$(call install,hatchling editables)
	@$(call install,--no-build-isolation --editable . $(PLUGINS:%=--editable ./%))
	@touch $@

# The example plugin is a third party's: a test runs it in the daemon.
# pip before 25.1 does not know dependency groups, and the list shall stand in one place: pyproject.toml.
$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "==> installing the tools for tests and checks"
	@$(call group,dev)
	@$(call install,--no-build-isolation --no-deps --editable ./examples/plugin)
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	@echo "==> installing what draws the plots of the bench"
	@$(call group,bench)
	@touch $@

$(VENV)/.installed-fuzz: $(VENV)/.installed
	@echo "==> installing the fuzzer"
	@export PIP_ONLY_BINARY=atheris UV_NO_BUILD_PACKAGE=atheris; $(call group,fuzz) || { \
		echo "atheris is there for Python 3.11 to 3.13 on x86-64: make fuzz VENV=.venv-fuzz PYTHON=python3.11" >&2; exit 1; }
	@touch $@

# Needs the tools for tests: it runs them.
$(VENV)/.installed-mutation: $(VENV)/.installed-dev
	@echo "==> installing what makes the mutants"
	@$(call group,mutation)
	@touch $@

$(VENV)/bin/python:
	@if command -v uv >/dev/null; then \
		echo "==> virtual environment $(VENV), by uv"; \
		uv venv --quiet --allow-existing --python '>=3.11' $(VENV); \
		exit; \
	fi; \
	seen=; bare=; \
	for python in $(PYTHON); do \
		version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
		if ! $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then seen="$$seen $$python is $$version,"; \
		elif ! $$python -c 'import ensurepip, venv' 2>/dev/null; then bare=$$version; \
		else \
			echo "==> virtual environment $(VENV), by $$python (Python $$version)"; \
			exec $$python -m venv $(VENV); \
		fi; \
	done; \
	if [ -n "$$bare" ]; then \
		echo "python$$bare comes without its venv module: sudo apt-get install python$$bare-venv" >&2; \
	else \
		echo "Python 3.11 or newer is needed;$$seen none of \"$(PYTHON)\" is: install python3.11 and its venv" \
			"module, or name one: make PYTHON=/path/to/python3.11" >&2; \
	fi; \
	exit 1
