"""Text for numbers, lists and names: in the page, in figures, in the paragraph."""

import math
from collections.abc import Callable, Sequence

from voiceconv.listen.analysis.analyse import Analysis, Contrast, Estimate
from voiceconv.listen.analysis.comparisons import BINOMIAL
from voiceconv.listen.manifest import SYSTEM

Format = Callable[[float], str]
ALPHA = 0.05  # significance level, after Holm's correction
MINUS = "\N{MINUS SIGN}"
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def ordered(analysis: Analysis) -> tuple[list[str], list[str]]:
    """Systems by falling mean, then reference and anchors, likewise."""
    roles = analysis.test.systems
    names = sorted(analysis.systems, key=lambda name: -analysis.systems[name].mean)
    own = [name for name in names if roles[name].role == SYSTEM]
    return own, [name for name in names if roles[name].role != SYSTEM]


def is_tested(one: Contrast) -> bool:
    """Whether a comparison has a test; one listener's ratings and preferences have none."""
    return one.test == BINOMIAL or one.difference.n_listeners > 1


def is_clear(one: Contrast) -> bool:
    """Whether a comparison is significant."""
    return is_tested(one) and one.p_holm < ALPHA


def is_separated(analysis: Analysis) -> bool:
    """Whether strengths have no intervals, because half choices were added."""
    found = analysis.systems.values() if analysis.method == "ab" else ()
    return any(math.isnan(one.low) and one.n_listeners > 1 for one in found)


def mean_format(method: str) -> Format:
    """The text of a system's value: a mean rating, or a Bradley-Terry strength."""
    return one_decimal if method == "mushra" else two_decimals


def difference_format(method: str) -> Format:
    """The text of a comparison: a difference of ratings, or a share of choices."""
    return percent if method in ("ab", "abx") else mean_format(method)


def two_decimals(value: float) -> str:
    """-0.456 -> '−0.46'."""
    return with_minus(f"{value:.2f}")


def one_decimal(value: float) -> str:
    """-4.56 -> '−4.6'."""
    return with_minus(f"{value:.1f}")


def percent(value: float) -> str:
    """0.456 -> '46%'."""
    return f"{value:.0%}"


def with_interval(estimate: Estimate, form: Format) -> str:
    """'0.42 [0.21, 0.63]', or only the mean if there is no interval."""
    mean, interval = form(estimate.mean), interval_of(estimate, form)
    return f"{mean} [{interval}]" if interval else mean


def interval_of(estimate: Estimate, form: Format) -> str:
    """'0.21, 0.63'; empty if there is no interval."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return ""
    return f"{form(estimate.low)}, {form(estimate.high)}"


def p_value(p: float) -> str:
    """'p = 0.003', 'p < 0.001'."""
    text = p_text(p)
    return f"p {text}" if text[0] == "<" else f"p = {text}"


def p_text(p: float) -> str:
    """'0.003', '< 0.001'."""
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


def plural(n: int, noun: str, nouns: str | None = None) -> str:
    """'1 item', '2 items'."""
    return f"{n:,} {noun if n == 1 else nouns or noun + 's'}"


def in_words(n: int) -> str:
    """Numbers up to ninety-nine in words, larger ones in digits."""
    if n < len(_ONES):
        return _ONES[n]
    if n > 99:
        return f"{n:,}"
    tens, ones = divmod(n, 10)
    return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")


def count(n: int, noun: str) -> str:
    """'one item', 'two items'."""
    return f"{in_words(n)} {noun if n == 1 else noun + 's'}"


def shortened(name: str, n_characters: int) -> str:
    """Shorten a text in the middle, if it is too long."""
    if len(name) <= n_characters:
        return name
    kept = max(n_characters - 1, 2)
    return f"{name[: (kept + 1) // 2].rstrip()}…{name[-(kept // 2) :].lstrip()}"


def paired(first: str, joint: str, second: str, n_characters: int) -> str:
    """'first joint second', names shortened to fit, mostly the longer one."""
    room = n_characters - len(joint) - 2
    one = shortened(first, max(room - len(second), room // 2))
    return f"{one} {joint} {shortened(second, room - len(one))}"


def with_minus(digits: str) -> str:
    """With a true minus sign, but not before a zero."""
    return digits.lstrip("-") if float(digits) == 0 else digits.replace("-", MINUS)
