"""Detect unhealthy training runs, and suggest a remedy.

Every rule compares with something that the run itself gives: the frames that went in, a
discriminator that cannot tell, the norms at the start. Figures of healthy runs beside the limits
are of CycleGAN-VC2 at a quarter of its widths, 19,500 steps.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

import torch
from torch import Tensor, nn

from voiceconv.data.batches import Batch
from voiceconv.objectives.base import PLAYERS, Objective

CHECK_EVERY = 100  # steps at least between two checks, which cost as much as a step each
WINDOW = 10  # checks that must agree: a run is not ill for one bad batch
NO_CHANGE = 0.2  # |output - input| / |input|; healthy 0.83 to 1.05
NO_VARIETY = 0.2  # outputs' distance / inputs'; healthy 0.9 to 1.06, untrained 0.31
WON = 0.1  # mean share of the loss of one that cannot tell; a healthy check is above 0.31
LOST = 0.95  # of the same; the lowest of ten healthy checks in a row is at most 0.82
NORM_GROWTH = 10.0  # times a gradient's norm so far, or the parameters' at the start
N_SUDDEN = 3  # checks in a row that make an explosion
LOUD = 100.0  # normalised frames lie within +-10, a healthy network's within +-6
LOSS_GROWTH = 100.0  # times a loss's median so far
N_KNOWN = 5  # checks that make a median to compare with


@dataclass(frozen=True)
class Finding:
    """A problem, and a message with its sign and remedy."""

    illness: str
    message: str


class HealthMonitor:
    """Checks a run, and reports each problem once when it begins.

    probe: a batch of n >= 2 items that are unlike each other.

    Its memory begins anew when a run is resumed. It draws no random numbers: a run that is watched
    takes the same steps as one that is not.
    """

    def __init__(self, objective: Objective[Any], probe: Batch) -> None:
        self._objective = objective
        self._probe = probe
        self._first_norms = {player: _norm(objective.player(player)) for player in PLAYERS}
        self._history: dict[str, deque[float]] = {}
        self._terms: set[str] = set()
        self._ill: set[str] = set()
        self._examined_at = 0

    def is_due(self, step: int) -> bool:
        """Whether the last check is long enough ago."""
        return step - self._examined_at >= CHECK_EVERY

    def examine(
        self, step: int, values: Mapping[str, float]
    ) -> tuple[dict[str, float], list[Finding]]:
        """A check's `player/loss` and `gradient_norm/player` -> what it measured, what is new."""
        self._examined_at = step
        terms = {name for name, value in values.items() if name.startswith("generator/") and value}
        if terms - self._terms:  # a loss has started: earlier values are not comparable
            self._terms |= terms
            self._history.clear()
        figures = self._measure()
        for name, value in {**values, **figures}.items():
            self._history.setdefault(name, deque(maxlen=10 * WINDOW)).append(value)
        findings = {finding.illness: finding for finding in self._diagnose()}
        new = [finding for illness, finding in findings.items() if illness not in self._ill]
        self._ill = set(findings)
        return figures, new

    @torch.no_grad()
    def _measure(self) -> dict[str, float]:
        """Least change and variety over all examples, largest output, parameters' growth."""
        generator = self._objective.generator
        was_training = generator.training
        generator.eval()
        changes, varieties, peaks = [], [], []
        for frames, output in self._objective.examples(self._probe):
            changes.append(_ratio((output - frames).abs().mean(), frames.abs().mean()))
            varieties.append(_ratio(_spread(output), _spread(frames)))
            peaks.append(output.abs().max())
        generator.train(was_training)
        growth = {
            f"health/{player}_growth": _norm(self._objective.player(player)) / max(first, 1e-12)
            for player, first in self._first_norms.items()
        }
        if not changes:
            return growth
        return {
            "health/change": min(changes),
            "health/variety": min(varieties),
            "health/largest_output": float(torch.stack(peaks).max()),  # NaN where one is
            **growth,
        }

    def _diagnose(self) -> Iterator[Finding]:
        yield from self._generator()
        yield from self._discriminators()
        yield from self._norms()
        yield from self._runaway()

    def _generator(self) -> Iterator[Finding]:
        change, variety = self._last("health/change"), self._last("health/variety")
        if change and max(change) < NO_CHANGE:
            yield Finding(
                "identity",
                f"the generator hands its input on: it changes frames by {change[-1]:.0%}; raise "
                "the weights of the adversarial losses, or lower those of cycle and identity",
            )
        if variety and max(variety) < NO_VARIETY:
            yield Finding(
                "mode collapse",
                f"outputs of unlike inputs are alike: they differ by {variety[-1]:.0%} of what the "
                "inputs do; raise the weight of the cycle loss, or lower the generator's rate",
            )

    def _discriminators(self) -> Iterator[Finding]:
        for name, chance_level in sorted(self._objective.chance_levels.items()):
            share = [value / chance_level for value in self._last(f"discriminator/{name}")]
            kind = name.removeprefix("adversarial_")
            if share and mean(share) < WON:
                yield Finding(
                    f"won {kind}",
                    f"the discriminator has won ({kind}: loss {share[-1]:.0%} of one that cannot "
                    "tell): the generator learns nothing from it; lower "
                    "optimizer.discriminator.lr, or raise optimizer.generator.lr",
                )
            if share and min(share) > LOST:
                yield Finding(
                    f"dead {kind}",
                    f"the discriminator is dead ({kind}: for {len(share)} checks its loss has been "
                    f"no better than that of one that cannot tell, now {share[-1]:.0%} of it): "
                    "outputs are not drawn to the target; raise optimizer.discriminator.lr, or "
                    "start again with another seed",
                )

    def _norms(self) -> Iterator[Finding]:
        for player in PLAYERS:
            growth = self._last_value(f"health/{player}_growth")
            gradients = list(self._history.get(f"gradient_norm/{player}", ()))
            if not gradients:  # it does not play yet
                continue
            usual = median(gradients[:-N_SUDDEN] or gradients)
            jumped = len(gradients) >= N_KNOWN + N_SUDDEN
            jumped = jumped and min(gradients[-N_SUDDEN:]) > NORM_GROWTH * usual
            if growth > NORM_GROWTH or jumped:
                yield Finding(
                    f"exploding {player}",
                    f"the {player}'s norms explode: its parameters are {growth:.1f} times as large "
                    f"as at the start, its gradient's norm was {usual:.3g} and is "
                    f"{gradients[-1]:.3g}; lower optimizer.{player}.lr, or set "
                    "trainer.gradient_clip",
                )

    def _runaway(self) -> Iterator[Finding]:
        signs = []
        peak = next(reversed(self._history.get("health/largest_output", ())), 0.0)
        if not peak <= LOUD:  # NaN is not, either
            signs.append(f"outputs reach {peak:.3g} standard deviations")
        for name, history in sorted(self._history.items()):
            *before, last = history
            if name.split("/")[0] in PLAYERS and len(before) >= N_KNOWN:
                usual = median(before)
                if last > LOSS_GROWTH * max(usual, 1e-3):
                    signs.append(f"{name} went from {usual:.3g} to {last:.3g}")
        if signs:
            yield Finding(
                "NaN ahead",
                f"a NaN is about to come: {'; '.join(signs)}; go back to the last good checkpoint "
                "with lower rates, trainer.gradient_clip or trainer.precision=float32",
            )

    def _last(self, name: str) -> list[float]:
        """The values of the window; none before it is full."""
        values = list(self._history.get(name, ()))[-WINDOW:]
        return values if len(values) == WINDOW else []

    def _last_value(self, name: str) -> float:
        return self._history[name][-1]


def _spread(frames: Tensor) -> Tensor:
    """(n, C, T) -> mean distance of two of them, a scalar."""
    n = len(frames)
    return (frames[:, None] - frames[None]).abs().mean() * n / (n - 1)


def _ratio(value: Tensor, by: Tensor) -> float:
    return float(value / by.clamp_min(1e-12))


@torch.no_grad()
def _norm(network: nn.Module) -> float:
    parameters: list[Tensor] = list(network.parameters())
    return float(torch.stack(torch._foreach_norm(parameters)).norm())
