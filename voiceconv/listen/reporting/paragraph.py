"""The paragraph about a listening test for a paper: methods and results."""

from collections import Counter
from collections.abc import Sequence

from voiceconv.listen.analysis.analyse import Analysis, Contrast
from voiceconv.listen.analysis.comparisons import ALIGNED_RANK, BINOMIAL, PREFERENCE, SIGNED_RANK
from voiceconv.listen.analysis.intervals import FEWEST, N_DRAWS
from voiceconv.listen.manifest import ATTENTION, REFERENCE, SYSTEM, TRAINING, TRIAL, Test
from voiceconv.listen.reporting.words import (
    count,
    difference_format,
    in_words,
    is_clear,
    is_separated,
    is_tested,
    listed,
    mean_format,
    ordered,
    p_value,
    percent,
    with_interval,
    with_minus,
)

TASKS = {  # task of each listener
    "mos": "rated each stimulus on the five-point absolute category rating scale of ITU-T P.800 "
    "(1 bad, 2 poor, 3 fair, 4 good, 5 excellent)",
    "similarity": "rated whether each stimulus and a recording of the target are by the same "
    "speaker, on the four-point scale of the Voice Conversion Challenges (1 different, absolutely "
    "sure; 2 different, not sure; 3 same, not sure; 4 same, absolutely sure)",
    "ab": "chose one of two stimuli (forced choice)",
    "abx": "chose which of two stimuli, A and B, is by the system that X is by (ABX, forced "
    "choice)",
    "mushra": "rated all stimuli of an item side by side, from 0 to 100, against the open "
    "reference (MUSHRA, ITU-R BS.1534-3)",
}
BALANCED = {  # over the lists
    "mos": "systems and the order that they come in",
    "similarity": "systems and the order that they come in",
    "ab": "pairs of systems, their order, and which of two comes first",
    "abx": "pairs of systems, their order, which of two comes first and which of them is X",
    "mushra": "the orders of the stimuli in a trial",
}
GROUNDS = {  # reason of exclusion -> text for a paper
    "attention checks": "for failed attention checks",
    "hidden reference": "for rating the hidden reference below 90 in more than 15% of the trials",
    "mid-range anchor": "for rating the mid-range anchor above 90 in more than 15% of the trials",
}


TESTS = {
    SIGNED_RANK: "a Wilcoxon signed-rank test of ratings by the same listener of the same item, "
    "clustered by listeners and items",
    ALIGNED_RANK: "a Wilcoxon test of ratings less the effects of listener and item, clustered by "
    "listeners and items",
    PREFERENCE: "a two-sided t-test of the share of choices, clustered by listeners and items, "
    "whose p is at least that of the exact binomial test of as many independent choices",
    BINOMIAL: "a one-sided exact binomial test against guessing",
}


def paragraph(analysis: Analysis) -> str:
    """Listeners, task, stimuli, design, statistics and results, in whole sentences."""
    test = analysis.test
    done = [_listeners(analysis), _task(test), _stimuli(analysis), _design(test)]
    figured = [_intervals(analysis), _tests(analysis)]
    return " ".join([*done, *filter(None, figured), *results(analysis)])


def results(analysis: Analysis) -> list[str]:
    """Results: means, then comparisons, those without significance last."""
    clear = [one for one in analysis.contrasts if is_clear(one)]
    unclear = [one for one in analysis.contrasts if is_tested(one) and not is_clear(one)]
    untested = [one for one in analysis.contrasts if not is_tested(one)]
    say = _CLEAR.get(analysis.method, _higher)
    found = [f"{say(one, analysis.method)} ({p_value(one.p_holm)})" for one in clear]
    return [
        *_means(analysis),
        *([f"Compared with each other, {'; '.join(found)}."] if found else []),
        *([f"{_unclear(unclear, analysis.method)}."] if unclear else []),
        *([f"{_untested(untested, analysis.method)}."] if untested else []),
    ]


def grounds(analysis: Analysis, kept: bool) -> Counter[str]:
    """Why listeners were excluded (`kept`: failed a rule but were kept), by their first reason."""
    found: Counter[str] = Counter()
    for one in analysis.screened:
        if one.kept is kept and one.n_answers:
            known = [said for part, said in GROUNDS.items() if part in "".join(one.reasons[:1])]
            found.update(known if known or kept else one.reasons[:1])
    return found


def _listeners(analysis: Analysis) -> str:
    n_all = sum(one.n_answers > 0 for one in analysis.screened)
    n_out, out = n_all - analysis.n_kept, grounds(analysis, kept=False)
    said = f"{count(n_all, 'listener').capitalize()} took part"
    if n_out:
        reasons = [f"{in_words(n)} {why}" for why, n in out.items()]
        why = f" ({listed(reasons)})" if len(out) > 1 else f" {next(iter(out))}"
        said += f", of whom {in_words(n_out)} {'was' if n_out == 1 else 'were'} screened out{why}"
    elif spared := sum(grounds(analysis, kept=True).values()):
        said += f"; no screening was done, which would have left out {in_words(spared)}"
    reasons = [reason for one in analysis.screened if one.kept for reason in one.reasons]
    if early := sum(reason.startswith("stopped") for reason in reasons):
        count_ = "counts" if early == 1 else "count"
        said += f"; {in_words(early)} stopped early and {count_} with the answers given"
    if none := len(analysis.screened) - n_all:
        said += f"; {in_words(none)} more began and answered no trial"
    return f"{said}."


def _task(test: Test) -> str:
    asked = f", being asked “{test.question}”" if test.question else ""
    task = TASKS[test.method_name]
    if test.provenance.get("music"):
        task = task.replace("are by the same speaker", "are of the same instrument")
    return f"Each listener {task}{asked}."


def _stimuli(analysis: Analysis) -> str:
    """Items, directions, systems, reference and anchors, loudness and sample rate."""
    test = analysis.test
    trials = [trial for trial in test.trials.values() if trial.kind == TRIAL]
    items, directions = ({getattr(one, of) for one in trials} for of in ("item", "direction"))
    shown = {test.stimuli[name].system for trial in trials for name in trial.shown}
    own = [name for name in test.names(SYSTEM) if name in shown]
    others = [name for name in test.systems if name in shown and name not in own]
    said = f"The stimuli were {count(len(items), 'item')}"
    if len(directions) > 1:
        said += f" (in {count(len(directions), 'direction')})"
    said += f" by {count(len(own), 'system')} ({listed(own)})"
    if others:
        is_compared = any(one.second in others for one in analysis.contrasts)
        names = listed([_beside(test, name) for name in others])
        said += f" and{'' if is_compared else ', not under test,'} {names}"
    level, rate = with_minus(f"{test.loudness:g}"), f"{test.sample_rate / 1000:g}"
    return f"{said}, all at {level} LUFS (ITU-R BS.1770) and {rate} kHz."


def _beside(test: Test, name: str) -> str:
    """Reference and anchors."""
    if test.systems[name].role == REFERENCE:
        return f"the hidden {name}" if test.method.together else f"the {name}"
    edge = test.systems[name].made.get("pass_edge")  # Hz
    return f"{name} (the reference up to {edge / 1000:g} kHz)" if edge else name


def _design(test: Test) -> str:
    kinds = [[test.trials[turn.trial].kind for turn in turns] for turns in test.lists]
    lengths = {turns.count(TRIAL) for turns in kinds}
    trials = f"{min(lengths)} to {max(lengths)} trials"
    if len(lengths) == 1:
        trials = count(min(lengths), "trial")
    said = f"Each listener got {trials}"
    extras = [(TRAINING, "for training before"), (ATTENTION, "to check attention in between")]
    more = [f"{in_words(n)} {why}" for kind, why in extras if (n := kinds[0].count(kind))]
    if more:
        said += f", with {listed(more)}"
    if len(test.lists) > 1:
        said += (
            f"; {_balanced(test)} are balanced, by Williams squares, over "
            f"{count(len(test.lists), 'list')}, of which each listener got one"
        )
    return f"{said}."


def _balanced(test: Test) -> str:
    """The balanced factors over the lists; in trials with all systems, the items' positions."""
    said = BALANCED[test.method_name]
    if not test.method.together:
        return said
    asked = [[t.trial for t in turns if test.trials[t.trial].kind == TRIAL] for turns in test.lists]
    places = Counter(place for trials in asked for place in enumerate(trials))
    whole = len({trial for trials in asked for trial in trials}) ** 2
    is_balanced = len(places) == whole and len(set(places.values())) == 1
    return f"the places of items and {said}" if is_balanced else said


def _intervals(analysis: Analysis) -> str:
    """The method of the intervals."""
    shown = [*analysis.systems.values(), *(one.difference for one in analysis.contrasts)]
    if all(one.n_listeners < 2 for one in shown):
        return "Of a single listener there are no intervals."
    drawn = [all(n >= FEWEST or n == 1 for n in (one.n_listeners, one.n_items)) for one in shown]
    bootstrap = (
        f"a symmetric bootstrap-t over listeners and items ({N_DRAWS:,} draws), at least as wide "
        "as Student's"
    )
    student = (
        "Student's t on the variances of listeners, items and residuals, as there are fewer than "
        f"{in_words(FEWEST)} listeners or items"
    )
    by = listed([bootstrap] * any(drawn) + [student] * (not all(drawn)), "or")
    more = ""
    if analysis.test.method.is_choice:
        more = "; those of shares are at least as wide as Wilson's of as many independent choices"
    return f"Square brackets hold 95% intervals, by {by}{more}."


def _tests(analysis: Analysis) -> str:
    """The statistical tests."""
    names = dict.fromkeys(one.test for one in analysis.contrasts if is_tested(one))
    if not names:
        return ""
    n = len(analysis.contrasts)
    holm = f", with Holm's correction for {count(n, 'comparison')}" if n > 1 else ""
    said = f"Systems were compared by {' and by '.join(TESTS[name] for name in names)}{holm}."
    if analysis.test.method.is_choice:
        return said
    return (
        f"{said} Their differences are those of a least-squares fit of listener, item and system."
    )


def _means(analysis: Analysis) -> list[str]:
    """One sentence; for preferences between two systems the share is enough."""
    if not analysis.systems or (analysis.method == "ab" and len(analysis.systems) < 3):
        return []
    form = mean_format(analysis.method)
    own, others = (
        [f"{with_interval(analysis.systems[name], form)} for {name}" for name in names]
        for names in ordered(analysis)
    )
    what = "Bradley-Terry strength" if analysis.method == "ab" else "mean rating"
    said = f"The {what}s were" if len(own) > 1 else f"The {what} was"
    more = f", and {listed(others)}" if others else ""
    return [f"{said} {listed(own)}{more}{_SEPARATED if is_separated(analysis) else ''}."]


def _higher(one: Contrast, method: str) -> str:
    form, (mean, low, high, *_) = difference_format(method), one.difference
    better, worse = (one.second, one.first) if mean > 0 else (one.first, one.second)
    ends = (low, high) if mean > 0 else (-high, -low)
    positive = one.difference._replace(mean=abs(mean), low=ends[0], high=ends[1])
    return f"{better} was rated {with_interval(positive, form)} higher than {worse}"


def _preferred(one: Contrast, method: str) -> str:
    mean, low, high, *_ = one.difference
    if mean >= 0.5:
        share, better, worse = one.difference, one.second, one.first
    else:
        share = one.difference._replace(mean=1 - mean, low=1 - high, high=1 - low)
        better, worse = one.first, one.second
    return f"{better} was preferred to {worse} in {with_interval(share, percent)} of the choices"


def _told_apart(one: Contrast, method: str) -> str:
    share = with_interval(one.difference, percent)
    return f"{one.first} and {one.second} were told apart in {share} of the trials"


def _unclear(rest: Sequence[Contrast], method: str) -> str:
    """The result of each pair; no significance does not mean no difference."""
    said, link, detail = _UNCLEAR.get(
        method, ("No significant difference was found", "between", "{second} less {first}: {share}")
    )
    pairs = []
    for one in rest:
        share = with_interval(one.difference, difference_format(method))
        found = detail.format(first=one.first, second=one.second, share=share)
        pairs.append(f"{one.first} and {one.second} ({found}, {p_value(one.p_holm)})")
    return f"{said} {link} {listed(pairs, f'or {link}')}"


def _untested(rest: Sequence[Contrast], method: str) -> str:
    form = difference_format(method)
    pairs = [
        f"{with_interval(one.difference, form)} for {one.first} and {one.second}" for one in rest
    ]
    what = _UNTESTED.get(method, "the mean of the second less that of the first")
    return f"Without a test, {what} was {listed(pairs)}"


_SEPARATED = (
    "; they have no intervals, for half a choice either way was added to every pair, as a system, "
    "or a group of them, won or lost all comparisons with the others"
)
_CLEAR = {"ab": _preferred, "abx": _told_apart}  # else ratings
_UNCLEAR = {
    "ab": ("No significant preference was found", "between", "{second} in {share} of the choices"),
    "abx": ("The answers were not significantly better than guesses", "for", "{share} correct"),
}
_UNTESTED = {"ab": "the share of choices of the second", "abx": "the share correct"}
