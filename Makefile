# Each target sets up what it needs (deploy/bootstrap.sh), then becomes its command: signals reach it directly.
.PHONY: help up test check bench lock fmt clean
.DEFAULT_GOAL := help

help:    ## list these targets
	@grep -hE '^[a-z]+: .*##' Makefile | sed -e 's/:[^#]*## */	/' | expand -t 10

up:      ## set everything up and run it in the foreground
	@exec deploy/bootstrap.sh runtime .venv/bin/aios up

test:    ## run the whole test suite, or part of it: make test ARGS="tests/domain -x"
	@exec deploy/bootstrap.sh dev .venv/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

check:   ## lint, format, types, import contracts, file-size rule
	@exec deploy/bootstrap.sh dev .venv/bin/python -m deploy.check

bench:   ## run the benchmarks and write benchmarks/RESULTS.md
	@exec deploy/bootstrap.sh dev .venv/bin/python -m benchmarks $(ARGS)

lock:    ## rewrite the lock files; upgrade with make lock ARGS=--upgrade
	@exec deploy/bootstrap.sh runtime deploy/lock.sh $(ARGS)

fmt:     ## format the code and mend what lint can mend
	@exec deploy/bootstrap.sh dev .venv/bin/python -m deploy.check --fix

clean:   ## remove what the targets above made, except the data in .aios
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf interfaces/web/node_modules interfaces/web/dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
