"""A pool of past fakes for the discriminator: Shrivastava et al. 2017 (CVPR), section 2.3."""

import numpy as np
import torch
from torch import Tensor

from voiceconv.objectives.base import Generated


class ReplayPool:
    """Up to `size` past fakes of each kind and domain; 0 hands everything through.

    Once it is full, a new fake is swapped for a past one with probability 1/2.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self.seed = seed
        self._fakes: dict[str, Tensor] = {}  # "<kind>/<domain_id>" -> (n <= size, C, T)

    def __call__(self, generated: Generated, step: int) -> Generated:
        """Detached fakes (B, C, T) -> as many, each either new or from the pool."""
        if self.size == 0:
            return generated
        rng = np.random.default_rng([self.seed, step])
        return {
            kind: [
                self._swap(f"{kind}/{domain_id}", fakes, rng)
                for domain_id, fakes in enumerate(by_domain)
            ]
            for kind, by_domain in generated.items()
        }

    def _swap(self, key: str, fakes: Tensor, rng: np.random.Generator) -> Tensor:
        shown = []
        for fake in fakes:
            pool = self._fakes.get(key, fake.new_zeros((0, *fake.shape)))
            if len(pool) < self.size:
                self._fakes[key] = torch.cat([pool, fake[None]])
                shown.append(fake)
            elif rng.random() < 0.5:
                chosen = rng.integers(self.size)
                shown.append(pool[chosen].clone())
                pool[chosen] = fake
            else:
                shown.append(fake)
        return torch.stack(shown)

    def state_dict(self) -> dict[str, Tensor]:
        """The pool, for the checkpoint."""
        return dict(self._fakes)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """The inverse of state_dict."""
        self._fakes = dict(state)
