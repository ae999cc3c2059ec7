"""What a crowd platform wants of a listener who has finished: to follow a link, or to bring a code.

Prolific: https://app.prolific.com/submissions/complete?cc=CODE, or the code itself.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from voiceconv.errors import InputError

_LONGEST_URL, _LONGEST_CODE = 2000, 64  # characters


@dataclass(frozen=True)
class Completion:
    """The link and the code of a study; with neither, each listener gets a code of its own.

    Raises InputError for a link that is no address of http or https, and for a code that cannot be
    read off a page.
    """

    url: str | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        if self.url is not None and not _is_address(self.url):
            raise InputError(
                f"the completion URL {self.url[:80]!r} is no address of a page; copy the whole of "
                "it, https://... , from the platform"
            )
        if self.code is not None and not _is_code(self.code):
            raise InputError(
                f"the completion code {self.code[:80]!r} is not 1 to {_LONGEST_CODE} characters "
                "on one line; copy it from the platform"
            )

    def beside(self, other: "Completion") -> "Completion":
        """This one, with what it lacks taken from another."""
        return Completion(self.url or other.url, self.code or other.code)


OWN_CODES = Completion()  # neither: one for each listener


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_text = url.isprintable() and not set(url) & set(' "<>\\^`{|}')
    return parts.scheme in ("http", "https") and has_host and is_text and len(url) <= _LONGEST_URL


def _is_code(code: str) -> bool:
    return bool(code.strip()) and code.isprintable() and len(code) <= _LONGEST_CODE
