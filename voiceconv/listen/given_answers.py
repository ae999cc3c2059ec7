"""What a listener's page sends, checked field by field: over HTTP, or from a file that it saved."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# Of a bounded length: pydantic reads these, and refuses half a surrogate pair, which no UTF-8 has.
Name = Annotated[str, Field(max_length=64)]
Comment = Annotated[str, Field(max_length=1000)]
Seconds = Annotated[float, Field(ge=0, le=86400 * 7)]


class _Body(BaseModel):
    """Nothing is converted, no field is unknown, every number is finite."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class Start(_Body):
    """The wish to take part."""

    consent: bool
    invitation: Name | None = None
    participant: Name | None = None


class Setup(_Body):
    """How somebody listens; of the headphone check: right answers, and of how many."""

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
    """The end."""

    comment: Comment = ""
