"""What every test finds prepared."""

import logging
from collections.abc import Callable, Iterator

import pytest
import torch
from tiny import vowel as synthesise_vowel
from torch import Tensor


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
    """The command line, called in-process, logs to a test's stderr, which is closed after it."""
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    for handler in list(root.handlers):
        if handler not in before and type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
