"""Which step was the best so far, and for how long none has been better."""

import math
from typing import Any


class Best:
    """The lowest score of a run's validations."""

    def __init__(self) -> None:
        self.score, self.step, self.n_since = math.inf, 0, 0

    def note(self, step: int, score: float) -> bool:
        """Whether this is the best until now; a NaN never is."""
        if score < self.score:
            self.score, self.step, self.n_since = score, step, 0
            return True
        self.n_since += 1
        return False

    def state_dict(self) -> dict[str, Any]:
        """What goes into a checkpoint."""
        return {"score": self.score, "step": self.step, "n_since": self.n_since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse."""
        self.score, self.step, self.n_since = state["score"], state["step"], state["n_since"]
