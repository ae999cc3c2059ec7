"""Counters for Prometheus, in its text format; all start at 0 with the server."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

CONVERSION = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 300.0)  # seconds
CHUNK = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # seconds


class Histogram:
    """Counts of values up to bounds, their sum and number."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, name: str) -> list[str]:
        """As Prometheus reads it: cumulative."""
        lines, total = [f"# TYPE {name} histogram"], 0
        for bound, count in zip([*self.bounds, "+Inf"], self.counts, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{name}_sum {self.sum:.6f}", f"{name}_count {total}"]


class Metrics:
    """What the server counts.

    jobs: by outcome: done, failed, cancelled, refused (not accepted).
    """

    def __init__(self) -> None:
        self.jobs: Counter[str] = Counter(done=0, failed=0, cancelled=0, refused=0)
        self.workers_died = 0
        self.dropouts = 0
        self.live_refused = 0
        self.conversion = Histogram(CONVERSION)
        self.chunk = Histogram(CHUNK)

    def text(self, now: Mapping[str, int]) -> str:
        """All of it; `now`: gauges by name."""
        lines = []
        for name, value in now.items():
            lines += [f"# TYPE voiceconv_{name} gauge", f"voiceconv_{name} {value}"]
        lines.append("# TYPE voiceconv_jobs_total counter")
        lines += [
            f'voiceconv_jobs_total{{outcome="{outcome}"}} {count}'
            for outcome, count in self.jobs.items()
        ]
        for name, value in {
            "workers_died_total": self.workers_died,
            "live_dropouts_total": self.dropouts,
            "live_refused_total": self.live_refused,
        }.items():
            lines += [f"# TYPE voiceconv_{name} counter", f"voiceconv_{name} {value}"]
        lines += self.conversion.lines("voiceconv_conversion_seconds")
        lines += self.chunk.lines("voiceconv_live_chunk_seconds")
        return "\n".join(lines) + "\n"
