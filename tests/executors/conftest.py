"""One scheduler with two workers, for all tests that don't break it."""

import signal
from collections.abc import Iterator

import pytest
from dask_places import Place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("dask"))
    try:
        made.add_worker()
        made.add_worker()
        yield made
    finally:
        made.end()


@pytest.fixture(autouse=True)
def no_endless_wait() -> Iterator[None]:
    """A cluster that never answers fails its test, and not the whole run."""

    def give_up(number: int, frame: object) -> None:
        raise TimeoutError("the cluster of this test has not answered for five minutes")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
