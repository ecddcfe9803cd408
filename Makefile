# Needs Python >= 3.11 and make; everything else goes into .venv.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
RUNS   ?= runs/demo
PORT   ?= 0
# Processes that run the tests; one more than there are cores, because some of the tests wait.
JOBS   ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

# torch goes first, at a version of which the package index has a CPU build where this project is developed; elsewhere
# `make test-torch TORCH=torch` takes what the index offers, which may be gigabytes of CUDA.
TORCH      ?= torch==2.13.0
TORCH_VENV ?= .venv-torch

# What the wheel is made of.
SOURCES = pyproject.toml setup.py $(shell find ita_med dataset_builders tasks training leaderboard -type f -not -path '*/__pycache__/*')

.PHONY: demo stop test test-fast test-torch test-all lint clean

demo: $(VENV)/.demo stop
	rm -rf $(RUNS)
	$(BIN)/ita-med data build --all --mirror embedded --out $(RUNS)/data
	ITA_MED_MIRROR=embedded HF_HUB_OFFLINE=1 $(BIN)/lm_eval run --model dummy --tasks ita_med --limit 5
	ITA_MED_MIRROR=embedded HF_HUB_OFFLINE=1 $(BIN)/ita-med eval --model baseline --model_args kind=knn --out $(RUNS)/knn
	ITA_MED_MIRROR=embedded HF_HUB_OFFLINE=1 $(BIN)/ita-med eval --model baseline --model_args kind=majority --out $(RUNS)/majority > /dev/null
	ITA_MED_MIRROR=embedded HF_HUB_OFFLINE=1 $(BIN)/ita-med eval --model baseline --model_args kind=random --out $(RUNS)/random > /dev/null
	$(BIN)/ita-med report $(RUNS)/knn $(RUNS)/majority $(RUNS)/random --html report.html
	@echo; echo "report.html is the same as a page."
	@set=$$(command -v setsid || true); $$set nohup $(BIN)/ita-med leaderboard serve --demo --run $(RUNS)/knn \
	  --run $(RUNS)/majority --run $(RUNS)/random --db $(RUNS)/board.sqlite --port $(PORT) > $(RUNS)/board.log 2>&1 \
	  < /dev/null & echo $$! > $(RUNS)/board.pid
	@for n in $$(seq 240); do grep -q "http" $(RUNS)/board.log && break; \
	  kill -0 $$(cat $(RUNS)/board.pid) 2>/dev/null || break; sleep 0.5; done; cat $(RUNS)/board.log; \
	  grep -q "http" $(RUNS)/board.log
	@echo "The board runs in the background, with these three runs on it; \"make stop\" ends it."

# Ends the demo's board, if that is what still runs under its number.
stop:
	@if ps -p "$$(cat $(RUNS)/board.pid 2>/dev/null || echo 0)" -o args= 2>/dev/null | grep -q "leaderboard serve"; then \
	  kill $$(cat $(RUNS)/board.pid); fi; rm -f $(RUNS)/board.pid

# Everything that needs no torch, on all cores.
test: $(VENV)/.test
	$(BIN)/pytest -n $(JOBS)

# What a contributor runs between two edits: no servers, no browser, no killed processes.
test-fast: $(VENV)/.test
	$(BIN)/pytest -n $(JOBS) -m "not slow"

# What needs torch, in an environment of its own: models, training, constrained decoding.
test-torch: $(TORCH_VENV)/.test
	$(TORCH_VENV)/bin/pytest -n $(JOBS) -m torch

test-all: test test-torch

lint: $(VENV)/.test
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/python tests/check_types.py
	$(BIN)/python docs/generate.py --check

# The wheel is installed, not the checkout: the demo shows what a user gets.
$(VENV)/.demo: $(SOURCES)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q --upgrade ".[leaderboard]"
	touch $@

$(VENV)/.test: $(VENV)/.demo
	$(BIN)/python -m pip install -q ".[dev]"
	touch $@

$(TORCH_VENV)/.test: $(SOURCES)
	$(PYTHON) -m venv $(TORCH_VENV)
	$(TORCH_VENV)/bin/python -m pip install -q --upgrade pip
	$(TORCH_VENV)/bin/python -m pip install -q "$(TORCH)"
	$(TORCH_VENV)/bin/python -m pip install -q --upgrade ".[dev,hf,api,train,leaderboard]"
	touch $@

clean: stop
	rm -rf $(VENV) $(TORCH_VENV) build dist runs *.egg-info report.html
