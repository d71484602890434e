# Everything starts here: `make run` for the service, `make test` for the tests.
# Both install what they need; a second call does that in an instant.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run serve upgrade stop test lint fast browser fuzz mutate hostile bench soak evidence i18n lock sbom check-libraries install install-test clean

# Steps of `make test` follow each other also under `make -j`.
.NOTPARALLEL:

# Modules are compiled once, not again by each of the processes that tests start.
unexport PYTHONDONTWRITEBYTECODE

# Programs of the virtual environment come first, by a path that may contain spaces.
IN = PATH="$(CURDIR)/.venv/bin:$$PATH"
PYTHON = .venv/bin/python
# Tests run in several processes, each with a database cluster of its own; what a file makes for
# all of its tests is made once. Those that wait for workers, servers and kills leave a core idle:
# there is a process more than there are cores.
ONE_MORE = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST = $(IN) CHROMIUM="$$(python3 -m core.install chromium)" python -m pytest -n $(ONE_MORE) \
    --dist loadfile --no-loadscope-reorder --maxprocesses 5
# A given server makes the packages of a private one unnecessary.
DATABASE = $(if $(DATABASE_URL),,database)

help: ## this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 24
	@echo "Settings: PORT=8000 HOST=127.0.0.1 TLS=1 DATABASE_URL=… INSTANCE_DIR=instance (see README)"

run: install ## install what is missing, start everything, print the address (phones: HOST=0.0.0.0 TLS=1)
	@exec $(PYTHON) -m core.run

serve: install ## the same for production: no demo, more workers (WEB_CONCURRENCY)
	@exec $(PYTHON) -m core.run --production

upgrade: install ## back up, migrate, restart, look whether it answers (RESTART='systemctl …' BACKUP=folder)
	@exec $(PYTHON) -m core.upgrade

stop: ## end the server and the private database
	@if [ -x $(PYTHON) ]; then exec $(PYTHON) -m core.run --stop; else echo "Nothing is installed."; fi

test: install-test lint ## install what tests need, then lint and all tests
	$(PYTEST) $(TESTS)

lint: install-test ## style, types, architecture contracts
	$(IN) ruff check .
	$(IN) ruff format --check .
	$(IN) mypy
	$(IN) lint-imports

fast: install-test ## all tests but those in a browser
	$(PYTEST) -m "not browser" $(TESTS)

browser: install-test ## the tests in Chromium, with pictures in instance/screenshots
	SCREENSHOTS=1 $(PYTEST) -m browser $(TESTS)

fuzz: install-test ## the API against its own document, and every form of every page, for minutes
	$(IN) FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-100} python -m pytest tests/fuzz_test.py tests/fuzz_forms.py \
	    -n 2 --dist worksteal $(TESTS)

hostile: install-test ## everything bad sent to the real server (HOSTILE_ROUNDS=10): its workers, their memory
	$(IN) HOSTILE_ROUNDS=$${HOSTILE_ROUNDS:-10} python -m pytest tests/workers_test.py -s $(TESTS)

mutate: install-test ## take away one guard or predicate at a time, and count who notices (ONLY=word)
	$(IN) python -m tests.mutate $(ONLY)

bench: install-test ## measure, print a table, write instance/bench.json
	$(IN) python -m tests.bench

soak: install-test ## kills, cuts, full disks, migrations cut off: tens of minutes (SOAK_SCALE=0.02: one)
	$(IN) python -m tests.soak $(PARTS)

evidence: install-test ## what docs/SECURITY.md promises, as one table of figures: minutes (FULL=1: hours)
	$(IN) python -m tests.evidence $(ONLY)

i18n: install-test ## collect the interface's texts into translations/ and compile them
	@mkdir -p instance
	$(IN) pybabel extract -F pyproject.toml --project=thap-canh --add-location=file --sort-by-file \
	    --no-wrap -o instance/messages.pot accounts areas core inspections maps towers app.py
	$(IN) pybabel update -l vi -d translations -i instance/messages.pot --no-fuzzy-matching \
	    --ignore-obsolete --ignore-pot-creation-date --no-wrap
	@python3 -m core.install test

lock: install-test ## write the lock files of Python's libraries from setup.cfg (UPGRADE=name or all)
	@python3 -m core.install lock $(UPGRADE)

sbom: install-test ## write instance/sbom.cdx.json: every library with version, hashes and licence
	$(IN) python -m tests.sbom

check-libraries: install ## as locked? allowed? without known vulnerabilities? (ADVISORIES=folder)
	@exec $(PYTHON) -m core.install.check $(if $(ADVISORIES),"$(ADVISORIES)")

install:
	@core/install/packages.sh python $(DATABASE) documents
	@python3 -m core.install

install-test:
	@core/install/packages.sh python database documents browser
	@python3 -m core.install test

clean: ## remove what was installed and built here, never the data in instance/
	rm -rf .venv node_modules core/static/dist translations/*/LC_MESSAGES/*.mo
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './instance/*' -prune -exec rm -rf {} +
