# What a fresh clone can do. Needs Python 3.11 or 3.12; everything else goes into $(VENV).
VENV ?= .venv
PYTHON ?= $(firstword $(foreach python,python3 python3.11 python3.12,\
  $(shell $(python) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $(python))))
BIN := $(VENV)/bin
SHELL_SCRIPTS = .ci/run $(wildcard recipes/*.sh egs/*/*/run.sh egs/*/*/local/*.sh)

.PHONY: help install demo test clean

help:
	@echo 'make demo   install, and convert the bundled sample with the bundled model'
	@echo 'make test   install, and run lint, types and tests (the toy recipe among them)'
	@echo 'make clean  remove the environment and what these two left behind'

install: $(VENV)/.installed

# --no-deps: the lock is complete, and leaves out two packages that Resemblyzer asks for (see pyproject.toml).
$(VENV)/.installed: requirements.lock pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo 'make: needs Python 3.11 or 3.12; name it: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo 'installing into $(VENV) (a few minutes the first time: PyTorch is large)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

SAMPLE = voiceconv/pretrained/sample.wav
CONVERTED = demo/sample-kathleen.wav demo/sample-nathalie.wav
DESCRIBE = import sys; from voiceconv import audio; \
  [print(f"{path}: {len(wave) / rate:.2f} s at {rate} Hz, {audio.loudness(wave, rate):.1f} LUFS") \
  for path in sys.argv[1:] for wave, rate in [audio.read(path)]]

demo: install
	@mkdir -p demo
	@$(BIN)/voiceconv convert $(SAMPLE) --target kathleen -o demo/sample-kathleen.wav
	@$(BIN)/voiceconv convert $(SAMPLE) --target nathalie -o demo/sample-nathalie.wav
	@$(BIN)/python -c '$(DESCRIBE)' $(SAMPLE) $(CONVERTED)
	@echo 'listen to $(CONVERTED)'

test: install
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/shellcheck -x $(SHELL_SCRIPTS)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 3 --dist worksteal

clean:
	rm -rf $(VENV) demo .pytest_cache .ruff_cache .mypy_cache .hypothesis
