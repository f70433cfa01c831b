# The one list of commands; `make help` prints it.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

.venv/core: requirements.lock requirements-build.lock
	@$(PYTHON) -c 'import sys; sys.exit("datamoat needs Python 3.11 to 3.13; set PYTHON=…" if not (3, 11) <= sys.version_info < (3, 14) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "setting up .venv from requirements.lock (once)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps --upgrade --target .venv/build -r requirements-build.lock
	@PYTHONPATH=.venv/build $(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

.venv/dev: requirements-dev.lock .venv/core
	@echo "adding what the tests need from requirements-dev.lock (once)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

.venv/airflow: requirements-airflow.lock .venv/core
	@echo "adding Airflow from requirements-airflow.lock (once)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r requirements-airflow.lock
	@touch $@

.venv/rocrate: requirements-rocrate.lock .venv/core
	@echo "adding RO-Crate's validator from requirements-rocrate.lock, in an environment of its own (once)"
	@$(PYTHON) -m venv $@
	@$@/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r requirements-rocrate.lock
	@touch $@

setup: .venv/core  ## create the environment for the main job

run: .venv/core  ## build, audit and publish what is here, offline, and print the result (the main job)
	@$(BIN)/datamoat run

test: .venv/dev  ## the software tests; no network beyond the package registries
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not celery and not spark and not site" $(PYTEST)

test-slow: .venv/dev .venv/rocrate  ## the tests that take minutes
	@$(BIN)/python -c 'import numpyro' 2>/dev/null || $(BIN)/python -m pip install -qq --disable-pip-version-check 'numpyro==0.22.0'
	@$(BIN)/python -m pytest -m slow

test-anywhere:  ## the tests as another user, in a path with spaces and brackets, from another folder; PYTHON=… as for setup
	@sh tests/end_to_end/anywhere.sh $(PYTHON)

guards: .venv/dev  ## take each guard of tests/faults/faults.yml away and demand that the test of its fault fails (minutes)
	@$(BIN)/python tests/mutation/guards.py .mutation

mutate: .venv/dev  ## 400 sampled mutants of the engine, the science and the SQL models, and which of them the tests kill (hours)
	@$(BIN)/python tests/mutation/mutate.py .mutation

test-celery: .venv/dev  ## two workers, Redis and PostgreSQL from Debian's packages, as docker-compose.yml sets them up
	@command -v redis-server >/dev/null && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || (apt-get update -qq && apt-get install -y -qq redis-server postgresql)
	@$(BIN)/python -m pytest -m celery -s

test-spark: .venv/dev  ## counts.sql and marts on Spark against DuckDB, row by row; installs Debian's headless Java if there is none
	@command -v java >/dev/null || (apt-get update -qq && apt-get install -y -qq default-jre-headless)
	@$(BIN)/python -c 'import pyspark, grpc' 2>/dev/null || $(BIN)/python -m pip install -qq --disable-pip-version-check 'pyspark[connect]==4.3.0'
	@$(BIN)/datamoat build
	@$(BIN)/python -m pytest -m spark -s

test-site: .venv/dev site-engine  ## the site in headless Chromium without a network: bars, what-if, SQL, accessibility
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium)
	@$(BIN)/python -c 'import playwright' 2>/dev/null || $(BIN)/python -m pip install -qq --disable-pip-version-check 'playwright==1.65.2'
	@$(BIN)/python -m pytest tests/site -s

bench-scale: .venv/dev  ## CPU and memory of counting: DuckDB, plain Python and, where it is installed, Spark; 5 and 50 million rows with FULL=1
	@$(BIN)/python tests/scale/bench.py $(if $(FULL),--full)

airflow: .venv/airflow  ## run Airflow on this machine until Ctrl-C, loopback only; PORT=18080 for another port
	@exec $(BIN)/python -m datamoat.orchestration.airflow_local start $(PORT)

check: .venv/dev  ## format, lint, types, SQL, import rules, content
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@MYPYPATH=src $(BIN)/mypy --explicit-package-bases transforms reports
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/sqlfluff lint -q transforms/*/*/*.sql
	@$(BIN)/datamoat check

calibrate: .venv/dev  ## many simulated data sets: verdicts and intervals against a known truth (minutes)
	@$(BIN)/python tests/moat/link/calibrate_link.py
	@$(BIN)/python tests/moat/volume/calibrate.py data/reference/calibration_simulations.csv

seeds: run  ## the answer with ten other seeds and 400, 1,000 and 4,000 draws: no verdict may differ (minutes)
	@$(BIN)/python tests/link/seeds.py

report: run  ## draw the report: one HTML page and its charts, in data/exports/report
	@$(BIN)/datamoat report

site-engine: reports/site/package-lock.json  ## fetch what the page of SQL packs, from the locked list, where npm is installed
	@if command -v npm >/dev/null; then test -d reports/site/node_modules/axe-core || npm ci --silent --ignore-scripts --prefix reports/site; \
	else echo "npm is not installed: the site is written without the engine of its page of SQL"; fi

site: run site-engine  ## write the site: static pages, charts, data and the file itself, in data/exports/site
	@$(BIN)/datamoat site

release: run  ## store this build as a dated, read-only bundle with checksums; commit data/releases.csv afterwards
	@$(BIN)/datamoat export --release --record

forecasts: run  ## issue the forecasts of each company's next model, once a day, in data/forecasts; commit the file: its commit dates it
	@file=data/forecasts/$$(date -u +%F).csv; test ! -e $$file || { echo "$$file is issued already, and an issued forecast is never changed"; exit 1; }; \
	$(BIN)/datamoat query data/forecasts/issued.sql --format csv > $$file.part && mv $$file.part $$file && echo "$$file: commit it"

docs: run  ## regenerate the generated pages of docs/
	@$(BIN)/datamoat docs

diff: .venv/core  ## compare the published marts with the build before
	@$(BIN)/datamoat diff

bench: .venv/dev  ## time and memory of the main jobs, medians of 5 (RUNS=3 for 3), in one run
	@RUNS=$(or $(RUNS),5) $(BIN)/python tests/bench.py

lock: pyproject.toml  ## resolve the pinned versions again
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra build --extra agents --extra reports pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group build -o requirements-build.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group rocrate -o requirements-rocrate.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra build --extra agents --extra reports --extra airflow --extra celery --extra s3 -c requirements.lock pyproject.toml -o requirements-airflow.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra build --extra agents --extra reports --extra airflow --extra celery --extra s3 --extra dev -c requirements-airflow.lock pyproject.toml -o requirements-dev.lock

clean:  ## delete what can be rebuilt (never the snapshots)
	rm -rf data/lake data/warehouse data/exports .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help setup run test test-slow test-anywhere guards mutate test-celery test-spark bench-scale airflow check calibrate seeds report release forecasts docs diff bench lock clean test-site site-engine site
