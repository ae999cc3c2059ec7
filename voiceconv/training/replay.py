"""A pool of past fakes for the discriminator: Shrivastava et al. 2017 (CVPR), section 2.3."""

import numpy as np
import torch
from torch import Tensor

from voiceconv.objectives.base import Fake, Generated


class ReplayPool:
    """Up to `size` past fakes of each kind and domain; 0 hands everything through.

    Once it is full, a new fake is swapped for a past one with probability 1/2, each with what
    describes it.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self.seed = seed
        # "<kind>/<index>" -> frames (n <= size, ...), "<kind>/<index>/<name>" -> their condition
        self._pools: dict[str, Tensor] = {}

    def __call__(self, generated: Generated, step: int) -> Generated:
        """Detached fakes (B, ...) -> as many, each either new or from the pool."""
        if self.size == 0:
            return generated
        rng = np.random.default_rng([self.seed, step])
        return {
            kind: [self._swap(f"{kind}/{index}", fake, rng) for index, fake in enumerate(fakes)]
            for kind, fakes in generated.items()
        }

    def _swap(self, key: str, fake: Fake, rng: np.random.Generator) -> Fake:
        shown = [self._swap_item(key, item, rng) for item in _items(fake)]
        return Fake(
            torch.stack([item.frames for item in shown]),
            {
                name: torch.stack([item.condition[name] for item in shown])
                for name in fake.condition
            },
        )

    def _swap_item(self, key: str, new: Fake, rng: np.random.Generator) -> Fake:
        """One fake, without the batch dimension -> itself, or one from the pool in its stead."""
        parts = {key: new.frames} | {f"{key}/{name}": v for name, v in new.condition.items()}
        if len(self._pools.get(key, ())) < self.size:
            for name, part in parts.items():
                pool = self._pools.get(name, part.new_zeros((0, *part.shape)))
                self._pools[name] = torch.cat([pool, part[None]])
            return new
        if rng.random() >= 0.5:
            return new
        chosen = rng.integers(self.size)
        old = Fake(
            self._pools[key][chosen].clone(),
            {name: self._pools[f"{key}/{name}"][chosen].clone() for name in new.condition},
        )
        for name, part in parts.items():
            self._pools[name][chosen] = part
        return old

    def state_dict(self) -> dict[str, Tensor]:
        """The pool, for the checkpoint."""
        return dict(self._pools)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """The inverse of state_dict."""
        self._pools = dict(state)


def _items(fake: Fake) -> list[Fake]:
    """(B, ...) -> B fakes without the batch dimension."""
    return [
        Fake(frames, {name: values[item] for name, values in fake.condition.items()})
        for item, frames in enumerate(fake.frames)
    ]
