"""What every test finds prepared."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
import torch
from tiny import vowel as synthesise_vowel
from torch import Tensor

from voiceconv.progress import StderrHandler

os.environ["HF_HUB_OFFLINE"] = "1"  # a test that asks the hub has its own (tests/hub)
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
CHROMIUM_OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests come first, the recipes' before all, and no two of these in one process.

    pytest-xdist deals the list in as many pieces as there are processes (--dist worksteal), and
    takes from the end of the longest when one is done: files stay together, and no long test is
    left to the end.
    """
    n_workers = getattr(config, "workerinput", {}).get("workercount", 1)
    slow = [item for item in items if item.get_closest_marker("slow")]
    slow.sort(key=lambda item: item.path.name != "test_recipes.py")
    quick = [item for item in items if not item.get_closest_marker("slow")]
    dealt, n_left = [], len(items)
    for worker in range(n_workers):
        size = n_left // (n_workers - worker)  # as pytest-xdist counts
        own = slow[worker::n_workers]
        n_quick = max(0, size - len(own))
        dealt += own + quick[:n_quick]
        del quick[:n_quick]
        n_left -= size
    items[:] = dealt + quick


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Networks this small only wait for a second one, and sums come out alike everywhere."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_randomness() -> Iterator[None]:
    """No test sees the random numbers that another has left."""
    torch.manual_seed(0)
    yield


@pytest.fixture
def vowel() -> Callable[..., Tensor]:
    """vowel(pitch, seconds, sample_rate=24000) -> (N,) a held vowel."""
    return synthesise_vowel


@pytest.fixture(autouse=True)
def _no_log_handler_is_left() -> Iterator[None]:
    """The command line, called in-process, logs to a test's stderr, which is closed after it.

    Hydra sets levels, too.
    """
    root, converting = logging.getLogger(), logging.getLogger("voiceconv.converter")
    before, levels = list(root.handlers), [(one, one.level) for one in (root, converting)]
    yield
    for one, level in levels:
        one.setLevel(level)
    for handler in list(root.handlers):
        if handler not in before and type(handler) in (logging.StreamHandler, StderrHandler):
            root.removeHandler(handler)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Headless Chromium, of playwright; the test is skipped where one of them isn't installed."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield launched
        launched.close()
