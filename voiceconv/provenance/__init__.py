"""What files say of what made them: runs and folders (`record`), and each converted file."""

from voiceconv.provenance.record import (
    CONVERSION,
    commit,
    provenance,
    read_conversions,
    write_conversion,
    write_provenance,
)

__all__ = [
    "CONVERSION",
    "commit",
    "provenance",
    "read_conversions",
    "write_conversion",
    "write_provenance",
]
