"""HiFi-GAN: Kong et al. 2020, arXiv:2010.05646."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from voiceconv.models.base import Verdict, WaveDiscriminator

SLOPE = 0.1  # of the leaky rectifiers


class MultiPeriodDiscriminator(WaveDiscriminator):
    """Section 2.3: waves (B, N) -> one verdict for each period.

    base_channels: filters of the first layer, 32 in the paper; then 4, 16, 32 and 32 times as many.
    """

    def __init__(self, periods: Sequence[int] = (2, 3, 5, 7, 11), base_channels: int = 32) -> None:
        super().__init__()
        self.periods = nn.ModuleList(Period(period, base_channels) for period in periods)

    def forward(self, waves: Tensor) -> list[Verdict]:
        """See WaveDiscriminator."""
        return [period(waves) for period in self.periods]


class Period(nn.Module):
    """Every `period`-th sample: the wave in rows of `period`, convolved down the columns."""

    def __init__(self, period: int, base_channels: int) -> None:
        super().__init__()
        self.period = period
        widths = [1, *(base_channels * factor for factor in (1, 4, 16, 32, 32))]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(n, m, (5, 1), (stride, 1), (2, 0)))
            for n, m, stride in zip(widths[:-1], widths[1:], (3, 3, 3, 3, 1), strict=True)
        )
        self.last = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, waves: Tensor) -> Verdict:
        """(B, N) -> logits (B, rows, period) and every layer's output."""
        missing = -waves.shape[1] % self.period
        x = F.pad(waves[:, None], (0, missing), mode="reflect").unflatten(2, (-1, self.period))
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            features.append(x)
        logits = self.last(x)
        return Verdict(logits.flatten(1), [*features, logits])
