"""What tests of the page find prepared."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from browsing import Watched, page_folder, served


@pytest.fixture
def opened(browser: Any, tmp_path: Any) -> Iterator[Callable[..., tuple[Watched, str]]]:
    """opened(test, at_trials=False, **context): its page from a server of files, and the address.

    The page is at consent, or at the first trial of the first list.
    """
    with ExitStack() as stack:

        def open_page(test: Any, at_trials: bool = False, **context: Any) -> tuple[Watched, str]:
            address = stack.enter_context(served(page_folder(tmp_path / test.id, test)))
            watched = Watched(browser, **context)
            stack.callback(watched.context.close)
            watched.page.goto(address)
            if at_trials:
                watched.skip_to_trials(test)
                watched.page.reload()
                watched.page.wait_for_selector("[data-trial]")
            return watched, address

        yield open_page
