"""`voiceconv listen build`: folders of conversions -> TEST/, a listening test.

TEST/manifest.json is the key, TEST/page the page with its stimuli, which names no system, and
TEST/webmushra and TEST/reseval are the same test for other people's tools.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from importlib.metadata import version
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from voiceconv import audio
from voiceconv.audio import HIGHEST_RATE, LOWEST_RATE
from voiceconv.errors import InputError
from voiceconv.evaluation.inputs import contents, digest
from voiceconv.files import appearing, replace_text
from voiceconv.listen import reseval, stimuli, webmushra
from voiceconv.listen.manifest import (
    ANCHOR,
    CHECK,
    PAGE,
    REFERENCE,
    SYSTEM,
    Stimulus,
    System,
    Test,
    blind_id,
    public,
    write_test,
)
from voiceconv.listen.methods import METHODS, Method
from voiceconv.listen.selection import (
    TARGET,
    Found,
    Numbers,
    Picked,
    candidates,
    find,
    pick,
)
from voiceconv.listen.signals import ANCHORS, stop_edge
from voiceconv.listen.trials import Plan, conditions
from voiceconv.provenance import provenance, read_conversions

Location = Path | str
Progress = Callable[[int, int], None]  # steps done, and in all
Asked = tuple[int | None, int | None, int | None]  # Numbers, as far as somebody has said them

LOUDNESS = (-50.0, -10.0)  # LUFS that can be asked for
N_ITEMS, N_ITEMS_TOGETHER = 20, 10
MOST_TOGETHER = 12  # stimuli of a MUSHRA trial, BS.1534-3
RESERVED = {REFERENCE, TARGET, CHECK, *ANCHORS}  # names that no system may have


def build_test(
    output: Location,
    systems: Sequence[tuple[str, Location]],
    method: str,
    *,
    reference: Location | None = None,
    target_reference: Location | None = None,
    n_items: int | None = None,
    full: bool = False,
    n_training: int | None = None,
    n_checks: int | None = None,
    seed: int = 0,
    loudness: float = -23.0,
    sample_rate: int | None = None,
    title: str | None = None,
    question: str | None = None,
    strings: Location | None = None,
    trim: float | None = 40.0,
    longest: float = 12.0,
    on_progress: Progress | None = None,
) -> Test:
    """Make a listening test of systems' folders (name, folder), whole or not at all.

    Args:
        output: a new or an empty folder.
        systems: a name may come several times; its folders are joined.
        method: one of METHODS.
        reference: the targets' own recordings of the same sentences: MUSHRA's reference, one more
            condition of `mos` and `similarity`, and what `ab` plays openly.
        target_reference: any recordings of the targets, for `similarity`.
        n_items: sentences, of each direction as many. About 20, MUSHRA: 10; or what there is.
        full: each listener hears each sentence in all conditions, not in one.
        n_training, n_checks: 2 (MUSHRA: 1), and one in ten trials (MUSHRA: none).
        seed: decides which sentences, and all orders.
        loudness: LUFS of every stimulus; where one would peak above -1 dBFS, all get less.
        sample_rate: Hz of every stimulus; None: the lowest of the recordings', for which nothing
            has to be invented, and no system is known by its bandwidth.
        strings: the page's words in another language.
        trim: dB below the loudest 10 ms at which silence at both ends is cut; None: not.
        longest: seconds; longer recordings are left out.

    Raises InputError for what can't be made a test of, with what to do.
    """
    kind = _method(method)
    places = _places(systems, reference, target_reference)
    names = [name for name in places if name not in RESERVED]
    _check_given(kind, names, places, n_checks, loudness)
    words = None if strings is None else _read_strings(Path(strings))
    with _appearing(Path(output)) as folder:
        found = {name: find(folders) for name, folders in places.items()}
        asked = (n_items, n_training, n_checks)
        plan, notes = _plan(kind, found, longest, asked, full, seed, sample_rate)
        made = _make(folder / PAGE / "stimuli", plan, loudness, trim, on_progress)
        said = {"inputs": plan.inputs, "trim": trim, "longest": longest, "soxr": version("soxr")}
        test = Test(
            # of another title or loudness, it is another test
            id=blind_id(plan.key, "the test", repr((title, question, loudness, trim)))[:8],
            key=plan.key,
            method_name=method,
            title=title or "Listening test",
            seed=seed,
            sample_rate=plan.sample_rate,
            loudness=made.loudness,
            level=plan.level,
            systems=_systems(plan, places, found),
            stimuli=made.stimuli,
            trials=plan.trials,
            lists=tuple(plan.lists),
            question=question,
            notes=(*notes, *made.notes),
            provenance={**provenance(seed), **said},
        )
        _write(folder, test, words)
    return test


class Made(NamedTuple):
    """The files that were written: their loudness (LUFS), and what is to be said of it."""

    stimuli: dict[str, Stimulus]
    loudness: float
    notes: list[str]


def _method(name: str) -> Method:
    if name not in METHODS:
        raise InputError(f"there is no test {name!r}; choose from {', '.join(METHODS)}")
    return METHODS[name]


def _places(
    systems: Sequence[tuple[str, Location]],
    reference: Location | None,
    target_reference: Location | None,
) -> dict[str, list[Path]]:
    """System, reference or target -> its folders."""
    places: dict[str, list[Path]] = {}
    for name, folder in systems:
        if name in RESERVED:
            raise InputError(f"a system can't be called {name!r}; give it another name")
        if not name.isprintable() or not name.strip() or set(name) & set("/\\") or name[0] == ".":
            raise InputError(
                f"{name!r} can't be a system's name, which is to be a folder's, too; choose another"
            )
        places.setdefault(name, []).append(Path(folder))
    others = {REFERENCE: reference, TARGET: target_reference}
    return places | {name: [Path(place)] for name, place in others.items() if place is not None}


def _check_given(
    method: Method,
    names: Sequence[str],
    places: Mapping[str, Sequence[Path]],
    n_checks: int | None,
    loudness: float,
) -> None:
    """Refuse what a method lacks, and what it has no use for."""
    if method.is_choice and len(names) < 2 or not names:
        raise InputError(f"{method.name} takes {1 + method.is_choice} systems or more; add one")
    if method.together and REFERENCE not in places:
        raise InputError("mushra rates against a reference; add --reference DIR")
    if method.name == "similarity" and TARGET not in places:
        raise InputError("similarity is judged beside the target; add --target-reference DIR")
    if method.name != "similarity" and TARGET in places:
        raise InputError(f"{method.name} has no use for --target-reference; leave it out")
    if method.name == "abx" and REFERENCE in places:
        raise InputError("abx has no use for --reference; leave it out, or make it a system")
    if method.together and n_checks:
        raise InputError("mushra's check is the hidden reference; leave --checks out")
    if not LOUDNESS[0] <= loudness <= LOUDNESS[1]:
        raise InputError(
            f"stimuli of {loudness:g} LUFS would not be heard or would clip; "
            f"choose from {LOUDNESS[0]:g} to {LOUDNESS[1]:g}"
        )


@contextmanager
def _appearing(output: Path) -> Iterator[Path]:
    """`appearing`, that refuses a folder with something in it before the work and not after."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"there is something in {output}; choose another place with -o")
    with appearing(output) as folder:
        yield folder


def _plan(
    method: Method,
    found: Mapping[str, Found],
    longest: float,
    asked: Asked,
    full: bool,
    seed: int,
    sample_rate: int | None,
) -> tuple[Plan, list[str]]:
    """What will be asked about the recordings that were found, and what is to be said of it."""
    names = [name for name in found if name not in RESERVED]
    items, notes = candidates(found, longest, seed)
    n_conditions = len(conditions(method, names, (), REFERENCE in found))
    numbers = _numbers(method, n_conditions, len(items), full, asked)
    picked, of_pick = pick(items, numbers, seed)
    rate, of_rate = _rate(picked, sample_rate)
    anchors, of_anchors = _anchors(method, rate, len(names))
    compared = conditions(method, names, anchors, REFERENCE in found)
    inputs = digest(contents(picked.recordings))
    key = digest([inputs, repr((method.name, compared, numbers, full, seed, rate))])
    plan = Plan(method, compared, key, seed, rate, inputs)
    plan.fill(picked, full)
    return plan, [*notes, *of_pick, *of_rate, *of_anchors]


def _numbers(
    method: Method, n_conditions: int, n_candidates: int, full: bool, asked: Asked
) -> Numbers:
    """What was asked for, or what the method usually has."""
    n_items, n_training, n_checks = asked
    if n_items is not None and n_items > n_candidates:
        raise InputError(
            f"{n_items} sentences are asked for, and {n_candidates} are common to all systems; "
            "choose fewer with --items"
        )
    if n_training is None:
        n_training = 1 if method.together else 2
    if n_items is None:
        n_items = min(N_ITEMS_TOGETHER if method.together else N_ITEMS, n_candidates - n_training)
        if not method.together:  # a listener hears all conditions equally often
            n_items -= n_items % n_conditions if n_items > n_conditions else 0
        n_items = max(n_items, min(n_conditions, n_candidates), 1)
    if n_checks is None:
        n_trials = n_items * (n_conditions if full else 1)
        n_checks = 0 if method.together else math.ceil(n_trials / 10)
    return Numbers(n_items, n_training, n_checks)


def _rate(picked: Picked, wanted: int | None) -> tuple[int, list[str]]:
    """The rate of all stimuli in Hz, and a note where recordings have several."""
    paths = {utterance.path for utterance in picked.recordings}
    rates = {audio.probe(path).sample_rate for path in paths}
    if wanted is not None and not LOWEST_RATE <= wanted <= HIGHEST_RATE:
        raise InputError(
            f"no stimuli at {wanted} Hz; choose a rate from {LOWEST_RATE} to {HIGHEST_RATE} Hz"
        )
    rate = wanted or min(rates)
    if len(rates) == 1:
        return rate, []
    span = f"recordings have {min(rates)} to {max(rates)} Hz, and stimuli {rate}"
    if rate > min(rates):
        return rate, [
            f"{span}: some have nothing above {min(rates) // 2} Hz, and may be known by it"
        ]
    return rate, [f"{span}: what lies above {rate // 2} Hz is not judged; see --sample-rate"]


def _anchors(method: Method, rate: int, n_systems: int) -> tuple[list[str], list[str]]:
    """MUSHRA's anchors that differ from the reference at a rate, and what is to be said of them."""
    if not method.together:
        return [], []
    anchors = [name for name, edge in ANCHORS.items() if 2 * stop_edge(edge) <= rate]
    if not anchors:
        raise InputError(
            f"mushra's low anchor ends at 3.5 kHz, and {rate} Hz hold little more; "
            "give recordings of at least 8000 Hz"
        )
    notes = []
    if len(anchors) < len(ANCHORS):
        notes.append(f"there is no mid anchor: {rate} Hz hold little more than its 7 kHz")
    if (n_shown := n_systems + 1 + len(anchors)) > MOST_TOGETHER:
        notes.append(f"a trial has {n_shown} stimuli; BS.1534-3 recommends {MOST_TOGETHER} at most")
    return anchors, notes


def _make(
    folder: Path,
    plan: Plan,
    loudness: float,
    trim: float | None,
    on_progress: Progress | None,
) -> Made:
    """Write the stimuli of a plan."""
    report, n_steps = on_progress or (lambda done, total: None), 2 * len(plan.sounds)
    is_switched = plan.method.together or plan.method.is_choice
    waves: dict[str, stimuli.Wave] = {}
    for name, wave in stimuli.render(plan.sounds, plan.sample_rate, trim, is_switched):
        waves[name] = wave
        report(len(waves), n_steps)
    levels = stimuli.levels(waves, plan.sample_rate, loudness)
    notes = []
    if levels.loudest is not None:
        notes.append(
            f"all stimuli are at {levels.loudness:.1f} LUFS, not {loudness:.1f}: "
            f"{plan.sounds[levels.loudest].recording.path} would clip"
        )
    folder.mkdir(parents=True)
    made: dict[str, Stimulus] = {}
    for stimulus in stimuli.write(folder, waves, plan.sounds, plan.sample_rate, levels):
        made[stimulus.id] = stimulus
        report(len(waves) + len(made), n_steps)
    return Made(made, levels.loudness, notes)


def _systems(
    plan: Plan, places: Mapping[str, Sequence[Path]], found: Mapping[str, Found]
) -> dict[str, System]:
    """What made the sounds of a plan: the systems as they were given, then what is none."""
    systems = {}
    for name, folders in places.items():
        inner = {folder / key.direction for folder in folders for key in found[name]}
        entries = {str(one): read_conversions(one) for one in sorted({*folders, *inner})}
        made = {
            "folders": list(map(str, folders)),
            "conversions": {k: v for k, v in entries.items() if v},
        }
        systems[name] = System(name, REFERENCE if name in RESERVED else SYSTEM, made)
    for name in sorted({sound.system for sound in plan.sounds.values()} - systems.keys()):
        systems[name] = System(name, CHECK)
        if edge := ANCHORS.get(name):
            edges = {"pass_edge": edge, "stop_edge": stop_edge(edge)}  # Hz
            systems[name] = System(name, ANCHOR, {"of": REFERENCE, **edges})
    return systems


def _read_strings(path: Path) -> dict[str, Any]:
    """A translation of the page's words, which has to have all of them."""
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not readable as JSON; copy the page's strings.json") from error
    known = json.loads((_page() / "strings.json").read_text(encoding="utf-8"))
    missing = sorted(known.keys() - words.keys()) if isinstance(words, dict) else sorted(known)
    if missing:
        raise InputError(
            f"{path} has no {missing[0]!r}; copy the page's strings.json and translate"
        )
    return dict(words)


def _write(folder: Path, test: Test, words: Mapping[str, Any] | None) -> None:
    """Write all but the stimuli."""
    page = folder / PAGE
    _copy(_page(), page)
    if words is not None:
        replace_text(page / "strings.json", json.dumps(words, indent=1, ensure_ascii=False) + "\n")
    replace_text(page / "test.json", json.dumps(public(test)) + "\n")
    webmushra.write_webmushra(folder, test)
    reseval.write_reseval(folder, test)
    write_test(folder, test)


def _page() -> Traversable:
    return resources.files("voiceconv.listen") / "page"


def _copy(source: Traversable, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for entry in source.iterdir():
        if entry.is_dir():
            _copy(entry, folder / entry.name)
        else:
            (folder / entry.name).write_bytes(entry.read_bytes())
