"""The data of a listener's page, checked field by field: over HTTP, or from a saved file."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

LONGEST_NAME = 64  # characters
# Bounded lengths. pydantic refuses half a surrogate pair, which UTF-8 cannot encode.
Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Comment = Annotated[str, Field(max_length=1000)]
Seconds = Annotated[float, Field(ge=0, le=86400 * 7)]


class _Body(BaseModel):
    """Strict types, no unknown fields, finite numbers."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class Start(_Body):
    """The start of a session."""

    consent: bool
    invitation: Name | None = None
    participant: Name | None = None


class Setup(_Body):
    """The listening equipment; the headphone check: right answers and their total."""

    device: Literal["headphones", "earphones", "loudspeakers"]
    headphone_check: (
        Annotated[list[Annotated[int, Field(ge=0, le=100)]], Field(min_length=2, max_length=2)]
        | None
    ) = None


class Given(_Body):
    """An answer to one trial."""

    trial: Name
    values: dict[Name, float]
    heard: dict[Name, Seconds]
    seconds: Seconds
    comment: Comment = ""


class Finish(_Body):
    """The end of a session."""

    comment: Comment = ""
