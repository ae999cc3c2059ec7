"""What a converted file says of itself: one text, in its metadata, its sidecar and its manifest.

It has no time and no place of this machine: the same conversion says the same.
"""

import json
from collections.abc import Mapping
from typing import Any

from voiceconv import __version__
from voiceconv.audio import Tags

CONVERTED, RESYNTHESISED = "conversion", "resynthesis"
_SAYS = {
    CONVERTED: "Output of a voice conversion program, not an original recording.",
    RESYNTHESISED: "A recording after analysis and synthesis by a program, not the original.",
}
Note = dict[str, Any]  # as JSON has it


def note(kind: str, facts: Mapping[str, object]) -> Note:
    """Of a file that was made by `kind`; facts: such as model, sha256, source and target."""
    known = {key: value for key, value in facts.items() if value is not None}
    return {"voiceconv": __version__, "kind": kind, "says": _SAYS[kind], **known}


def as_tags(said: Note) -> Tags:
    """A note as metadata: JSON in ASCII, which each format keeps as it is."""
    return Tags(f"voiceconv {__version__}", json.dumps(said))


def read_note(text: str) -> Note | None:
    """The inverse of `as_tags`; None for any other text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "voiceconv" in found else None
