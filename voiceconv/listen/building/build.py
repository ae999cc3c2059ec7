"""`voiceconv listen build`: folders of conversions -> TEST/, a listening test.

TEST/manifest.json is the key. TEST/page is the page with its stimuli and names no system.
TEST/webmushra and TEST/reseval are the same test for other tools.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
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
from voiceconv.files import appearing, read_text, replace_text
from voiceconv.listen.building import stimuli
from voiceconv.listen.building.given import (
    RESERVED,
    Asked,
    Location,
    anchors_at,
    check,
    method_named,
    numbers_of,
    places_of,
)
from voiceconv.listen.building.selection import (
    Found,
    Picked,
    candidates,
    find,
    pick,
)
from voiceconv.listen.building.signals import ANCHORS, stop_edge
from voiceconv.listen.building.trials import Plan, conditions
from voiceconv.listen.completion import OWN_CODES, Completion
from voiceconv.listen.exchange import reseval, webmushra
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
from voiceconv.listen.methods import Method
from voiceconv.progress import Progress
from voiceconv.provenance import provenance, read_conversions

HIGHEST_OFFSET = 0.002  # of full scale: the mean of a recording without a note


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
    completion: Completion = OWN_CODES,
    strings: Location | None = None,
    music: bool = False,
    trim: float | None = 40.0,
    longest: float = 12.0,
    on_progress: Progress | None = None,
) -> Test:
    """Make a listening test of systems' folders (name, folder), whole or not at all.

    Args:
        output: a new or an empty folder.
        systems: the folders of equal names are joined.
        method: one of METHODS.
        reference: the targets' own recordings of the same sentences: the reference of MUSHRA, one
            more condition of `mos` and `similarity`, the open reference of `ab`.
        target_reference: any recordings of the targets, for `similarity`.
        n_items: number of sentences, equal per direction. Default: about 20, MUSHRA: 10, or fewer.
        full: each listener hears each sentence in all conditions, not in one.
        n_training, n_checks: default 2 (MUSHRA: 1), and one in ten trials (MUSHRA: none).
        seed: seed of sentences and orders.
        loudness: LUFS of every stimulus; if one would peak above -1 dBFS, all are lowered, by 6 dB
            at most.
        sample_rate: Hz of every stimulus; None: the lowest rate of the recordings, so that no
            system is recognised by its bandwidth.
        completion: what a listener who has finished brings to a crowd platform.
        strings: the page's texts in another language.
        music: the page asks about music and instruments, not about speech and speakers.
        trim: dB below the loudest 10 ms at which silence at both ends is cut; None: not.
        longest: seconds; longer recordings are left out.

    Raises InputError, with the remedy, if the inputs cannot make a test.
    """
    kind = method_named(method)
    places = places_of(systems, reference, target_reference)
    names = [name for name in places if name not in RESERVED]
    check(kind, names, places, n_checks, loudness)
    if trim is not None and not 0 < trim < math.inf:
        raise InputError(f"silence can't be cut at {trim:g} dB; give a number above 0, or 0: not")
    if music and strings is not None:
        raise InputError(f"{strings} has all texts of the page, and music others; give one of both")
    words = None if strings is None else _read_strings(Path(strings))
    if music:
        words = _overlaid(
            _texts(_page() / "strings.json"),
            _texts(resources.files("voiceconv.listen") / "music_strings.json"),
        )
        question = question or words["methods"][method]["question"]
    with _appearing(Path(output)) as folder:
        found = {name: find(folders) for name, folders in places.items()}
        asked = (n_items, n_training, n_checks)
        plan, notes = _plan(kind, found, longest, asked, full, seed, sample_rate)
        made = _make(folder / PAGE / "stimuli", plan, loudness, trim, on_progress)
        said = {"inputs": plan.inputs, "trim": trim, "longest": longest, "soxr": version("soxr")}
        said |= {"music": True} if music else {}
        test = Test(
            # another title or loudness makes another test
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
            completion=completion,
            notes=(*notes, *made.notes),
            provenance={**provenance(seed), **said},
        )
        _write(folder, test, words)
    return test


class Made(NamedTuple):
    """The loudness (LUFS) of the written files, and notes about it."""

    stimuli: dict[str, Stimulus]
    loudness: float
    notes: list[str]


@contextmanager
def _appearing(output: Path) -> Iterator[Path]:
    """`appearing`, but a folder that is not empty is refused before the work."""
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
    """The trials for the found recordings, and notes about them."""
    names = [name for name in found if name not in RESERVED]
    items, notes = candidates(found, longest, seed)
    n_conditions = len(conditions(method, names, (), REFERENCE in found))
    numbers = numbers_of(method, n_conditions, len(items), full, asked)
    picked, of_pick = pick(items, numbers, seed)
    rate, lowest, of_rate = _rate(picked, sample_rate)
    anchors, of_anchors = anchors_at(method, min(rate, lowest), len(names))
    compared = conditions(method, names, anchors, REFERENCE in found)
    inputs = digest(contents(picked.recordings))
    key = digest([inputs, repr((method.name, compared, numbers, full, seed, rate))])
    plan = Plan(method, compared, key, seed, rate, inputs)
    plan.fill(picked, full)
    return plan, [*notes, *of_pick, *of_rate, *of_anchors]


def _rate(picked: Picked, wanted: int | None) -> tuple[int, int, list[str]]:
    """The rate of all stimuli, the lowest rate of the recordings in Hz, a note if they differ."""
    paths = {utterance.path for utterance in picked.recordings}
    rates = {audio.probe(path).sample_rate for path in paths}
    if wanted is not None and not LOWEST_RATE <= wanted <= HIGHEST_RATE:
        raise InputError(
            f"no stimuli at {wanted} Hz; choose a rate from {LOWEST_RATE} to {HIGHEST_RATE} Hz"
        )
    lowest, highest = min(rates), max(rates)
    rate = wanted or lowest
    if rate == lowest == highest:
        return rate, lowest, []
    have = f"{lowest} to {highest}" if lowest < highest else f"{lowest}"
    span = f"recordings have {have} Hz, and stimuli {rate}"
    if rate <= lowest:
        note = f"{span}: what lies above {rate // 2} Hz is not judged; see --sample-rate"
    elif lowest < highest:
        note = f"{span}: some have nothing above {lowest // 2} Hz, and may be known by it"
    else:
        note = f"{span}: there is nothing above {lowest // 2} Hz in them"
    return rate, lowest, [note]


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
    stimuli.require_even(waves, plan.sounds, levels, loudness)
    notes = _of_offsets(waves, plan)
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


def _of_offsets(waves: Mapping[str, stimuli.Wave], plan: Plan) -> list[str]:
    """A note about recordings with a constant offset."""
    offsets = {str(plan.sounds[name].recording.path): wave.offset for name, wave in waves.items()}
    found = {path: value for path, value in offsets.items() if abs(value) > HIGHEST_OFFSET}
    if not found:
        return []
    worst = max(found, key=lambda path: abs(found[path]))
    return [
        f"{len(found)} of {len(offsets)} recordings have a constant offset, {worst} one of "
        f"{100 * found[worst]:+.1f}% of full scale: it was subtracted"
    ]


def _systems(
    plan: Plan, places: Mapping[str, Sequence[Path]], found: Mapping[str, Found]
) -> dict[str, System]:
    """The sources of a plan's sounds: the given systems, then checks and anchors."""
    systems = {}
    for name, folders in places.items():
        inner = {utterance.path.parent for utterance in found[name].values()}
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
    """Read a translation of the page's texts; it must be complete."""
    try:
        words = json.loads(read_text(path))
    except (OSError, InputError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not readable as JSON; copy the page's strings.json") from error
    known = _texts(_page() / "strings.json")
    if (place := _unlike(words, known)) is not None:
        raise InputError(
            f"{path} lacks {place or 'everything'}, or has something else there; copy the page's "
            "strings.json and translate its words"
        )
    return dict(words)


def _texts(file: Traversable) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _overlaid(words: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Texts with those of `others` in their places."""
    return dict(words) | {
        key: _overlaid(words[key], value) if isinstance(value, dict) else value
        for key, value in others.items()
    }


def _unlike(words: Any, known: Any, place: str = "") -> str | None:
    """The place where a translation's structure differs from the original, or None."""
    if type(words) is not type(known) or (isinstance(known, list) and len(words) != len(known)):
        return place
    if isinstance(known, str):
        return None
    for key in known if isinstance(known, dict) else range(len(known)):
        inner = f"{place}.{key}".lstrip(".")
        found = _unlike(words[key], known[key], inner) if _has(words, key) else inner
        if found is not None:
            return found
    return None


def _has(words: dict[str, Any] | list[Any], key: Any) -> bool:
    return key in words if isinstance(words, dict) else key < len(words)


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
