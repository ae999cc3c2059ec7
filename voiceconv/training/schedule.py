"""How learning rates change over a run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LinearDecay:
    """Rates stay up to `decay_start`, then fall in a line to 0 at `n_steps`."""

    n_steps: int
    decay_start: int | None = None

    def factor(self, step: int) -> float:
        """What multiplies both players' own rates at this step."""
        start = self.n_steps if self.decay_start is None else self.decay_start
        if step < start:
            return 1.0
        return max(0.0, (self.n_steps - step) / max(1, self.n_steps - start))
