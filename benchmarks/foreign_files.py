"""Files as other people have them, each converted: is sound lost, or noise gained, without a word?

python benchmarks/foreign_files.py [--only WORD] [--keep FOLDER]

Prints a line for each file of `odd_files`: seconds and LUFS that are truly in it, and of its
conversion by the bundled model; how far the pause lies below speech before and after; what
`voiceconv convert` said; the verdict. A whole file that is refused is a fault. So is each of these
that no message is about: more than 0.05 s less, a level over 1 LU off, a pause over 1 dB nearer to
speech, and a conversion of what is no sound. Exit code 1 if there are any.
"""

import argparse
import logging
import math
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import torch
from odd_files import RATE, File, Wave, all_files

from voiceconv import audio
from voiceconv.commands.convert import Choice, convert
from voiceconv.errors import InputError, RunError

SHORTER, LEVEL, NEARER = 0.05, 1.0, 1.0  # s, LU, dB
STEP = -98.0  # LUFS that rounding to 16 bits adds
EDGE = 0.1  # seconds at both ends of a pause: late decoders
# What a message must be about to account for a fault.
WORDS = {
    "shorter": "not read|missing|left out$|cut or damaged",
    "level": "limited|turned down|nearly silent|mixed down",
    "noise": "limited|nearly silent|mixed down",  # limited speech is nearer to its pauses
    "no sound": "",
}


class Measures(NamedTuple):
    """Seconds, LUFS, and dB of the pause against the rest; NaN without one."""

    seconds: float
    lufs: float
    pause: float


class Outcome(NamedTuple):
    """What came of a file: None if nothing was converted, and what was said."""

    after: Measures | None
    messages: list[str]
    is_crash: bool = False


class _Heard(logging.Handler):
    """Keeps the warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See Handler."""
        self.messages.append(record.getMessage())


def measure(
    wave: Wave, rate: int, pause: tuple[float, float] | None, rounding: float = -math.inf
) -> Measures:
    """Of a wave (N,); LUFS that rounding would add are added to its pause."""
    heard = audio.resample(torch.from_numpy(wave).float(), rate, RATE)
    below = math.nan
    if pause is not None and pause[0] + 3 * EDGE < len(wave) / rate:
        powers = audio.block_powers(heard, RATE, 0.01)
        start, end = (round(100 * second) for second in pause)
        inside = powers[start + round(100 * EDGE) : end - round(100 * EDGE)].mean()
        speech = np.concatenate([powers[:start], powers[end:]]).mean()
        inside += 10 ** (rounding / 10)
        below = 10 * math.log10(max(inside, 1e-15) / max(speech, 1e-30))
    return Measures(len(wave) / rate, audio.level(heard, RATE), below)


def run(file: File, number: int, folder: Path, target: str) -> Outcome:
    """Convert it as the command line does."""
    path, output = folder / f"{number}.{file.suffix}", folder / f"{number}-out.wav"
    if isinstance(file.content, bytes):
        path.write_bytes(file.content)
    else:
        path, output = folder / f"{number}", folder / f"{number}-out"
        path.mkdir()
        for name, data in file.content.items():
            (path / name).write_bytes(data)
    heard, is_crash = _Heard(), False
    logger = logging.getLogger("voiceconv")
    logger.addHandler(heard)
    try:
        convert([str(path)], Choice(target), str(output))
    except (InputError, RunError) as error:
        heard.messages.append(str(error))
    except Exception as error:  # a bug: the row says so, and the others still run
        traceback.print_exc()
        heard.messages.append(f"{type(error).__name__}: {error}")
        is_crash = True
    finally:
        logger.removeHandler(heard)
    messages = [message.replace(f"{folder}/", "") for message in heard.messages]
    made = sorted(output.glob("*.wav")) if output.is_dir() else [output]
    if not made or not made[0].exists():
        return Outcome(None, messages, is_crash)
    return Outcome(measure(*soundfile.read(made[0]), file.pause), messages, is_crash)


def judge(file: File, before: Measures, outcome: Outcome) -> tuple[str, bool]:
    """The verdict, and whether it is a fault."""
    after, messages = outcome.after, outcome.messages
    if outcome.is_crash:
        return "TRACEBACK", True
    if after is None:
        return ("REFUSED", True) if file.is_whole else ("refused", False)
    found = differences(file, before, after)
    silent = [n for n in found if not any(re.search(WORDS[n], message) for message in messages)]
    if silent:
        return ", ".join(silent).upper(), True
    return ", ".join(f"{name} (said)" for name in found) or "ok", False


def differences(file: File, before: Measures, after: Measures) -> list[str]:
    """What is wrong with a conversion; the sound and the pause of what is left are compared."""
    if before.seconds == 0:
        return ["no sound"]
    is_shorter = before.seconds - after.seconds > SHORTER
    if is_shorter:
        before = measure(
            file.truth[: round(after.seconds * file.rate)], file.rate, file.pause, STEP
        )
    is_off = after.lufs != before.lufs and not abs(after.lufs - before.lufs) <= LEVEL
    is_nearer = after.pause > before.pause + NEARER
    differs = {"shorter": is_shorter, "level": is_off, "noise": is_nearer}
    return [name for name, is_so in differs.items() if is_so]


def shown(measures: Measures | None) -> list[str]:
    """A measure each; a dash for what there is none of."""
    if measures is None:
        return ["-"] * 3
    return [
        "-" if math.isnan(m) else f"{m:.{d}f}" for m, d in zip(measures, (2, 1, 1), strict=True)
    ]


def main() -> int:
    """Make, convert, judge."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--only", default="", help="the files whose names contain this")
    options.add_argument("--target", default="flemishguy")
    options.add_argument("--keep", type=Path, help="an empty folder for all files")
    chosen = options.parse_args()
    n_files = n_faults = 0
    start = time.perf_counter()
    line = "{:43} {:>6} {:>6} {:>7} {:>7} {:>6} {:>6} | {} | {}"
    print(line.format("file", *"s in,s out,LUFS in,out,pause,out,said,verdict".split(",")))
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        for number, file in enumerate(all_files()):
            if chosen.only not in file.name:
                continue
            before = measure(file.truth, file.rate, file.pause, STEP)
            outcome = run(file, number, folder, chosen.target)
            verdict, is_fault = judge(file, before, outcome)
            n_files, n_faults = n_files + 1, n_faults + is_fault
            figures = [
                f for pair in zip(shown(before), shown(outcome.after), strict=True) for f in pair
            ]
            print(
                line.format(file.name, *figures, "; ".join(outcome.messages), verdict), flush=True
            )
    print(f"{n_files} files, {n_faults} rows that lose sound or gain noise without a word")
    print(f"in {time.perf_counter() - start:.0f} seconds", file=sys.stderr)
    return int(n_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
