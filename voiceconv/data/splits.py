"""Split a corpus into train, val (model selection) and test.

Equal stems in several domains mean the same sentence. Then val and test have the same sentences in
each domain, so that a conversion can be compared with the target's own recording, and the train
splits have no common sentence, so that training is truly unpaired. A fourth split, only by lists,
may have parallel sentences for methods that learn from pairs.
"""

import random
from collections.abc import Collection, Mapping
from pathlib import Path

from voiceconv.data.kaldi import word
from voiceconv.errors import InputError
from voiceconv.files import plain_name, printable, read_text

PAIRED = "paired"
SPLITS = ("train", "val", "test", PAIRED)

Assignment = dict[str, dict[str, str]]  # domain -> stem -> split; a stem left out is not used


def split_by_seed(
    durations: Mapping[str, Mapping[str, float]],
    n_val: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    keep_shared: bool = False,
) -> Assignment:
    """Split at random; `durations` is domain -> stem -> seconds.

    n_val, n_test: utterances of each domain; None: a twentieth (1 to 20) and a tenth (1 to 40) of
    the smallest domain that shares sentences with it. keep_shared: train on a sentence in every
    domain that has it, instead of giving it to one of them.
    """
    assignment: Assignment = {}
    for group in _groups(durations):
        # A separate seed, so that another domain in the corpus does not change this group's splits.
        rng = random.Random(f"{seed} {' '.join(group)}")
        smallest = min(len(durations[domain]) for domain in group)
        counts = {
            "test": min(40, max(1, smallest // 10)) if n_test is None else n_test,
            "val": min(20, max(1, smallest // 20)) if n_val is None else n_val,
        }
        group_durations = {domain: durations[domain] for domain in group}
        held_out = _hold_out(group_durations, counts, rng)
        used = {stem for stems in held_out.values() for stem in stems}
        train = _train_stems(group_durations, used, keep_shared, rng)
        for domain in group:
            if not train[domain]:
                raise InputError(
                    f"domain {domain!r} has no sentence left to train on: of its "
                    f"{len(durations[domain])} utterances {counts['val']} are for val, "
                    f"{counts['test']} for test and the others go to domains that say the same; "
                    "add recordings, or keep shared sentences"
                )
            assignment[domain] = held_out[domain] | dict.fromkeys(train[domain], "train")
    return assignment


def split_by_lists(stems: Mapping[str, Collection[str]], lists: Path) -> Assignment:
    """Split by the files `<domain>.train`, `.val` and `.test` in `lists`, one stem per line.

    `<domain>.paired` is optional. A line may be the name of a file, with its suffix and spaces.
    """
    paths = {plain_name(path.name): path for path in lists.iterdir()}
    assignment: Assignment = {}
    for domain, known in stems.items():
        chosen: dict[str, str] = {}
        for split in SPLITS:
            name = f"{domain}.{split}"
            path = paths.get(name, lists / name)
            if split == PAIRED and not path.exists():
                continue
            for place, line in _lines(path):
                stem = _stem(line, known)
                if stem is None:
                    raise InputError(
                        f"{place}: domain {domain!r} has no utterance {line!r}; "
                        "take the line out or add the recording"
                    )
                if stem in chosen:
                    raise InputError(f"{place}: {line!r} is in {chosen[stem]} already; keep one")
                chosen[stem] = split
        if "train" not in chosen.values():
            raise InputError(f"{lists / f'{domain}.train'} names no utterance; add some")
        assignment[domain] = chosen
    return assignment


def shared_stems(stems: Mapping[str, Collection[str]]) -> set[str]:
    """Stems that occur in more than one domain."""
    seen: set[str] = set()
    shared: set[str] = set()
    for names in stems.values():
        shared |= seen.intersection(names)
        seen.update(names)
    return shared


def _groups(stems: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Sets of domains connected by shared stems, each sorted."""
    groups: list[tuple[set[str], set[str]]] = []  # domains, all their stems
    for domain in sorted(stems):
        domains, names = {domain}, set(stems[domain])
        apart = []
        for other in groups:
            if names.isdisjoint(other[1]):
                apart.append(other)
            else:
                domains |= other[0]
                names |= other[1]
        groups = [*apart, (domains, names)]
    return sorted(sorted(domains) for domains, _ in groups)


def _hold_out(
    durations: Mapping[str, Mapping[str, float]], counts: Mapping[str, int], rng: random.Random
) -> Assignment:
    """Choose val and test: common stems of the domains, filled up with other stems if too few."""
    common = sorted(set.intersection(*(set(stems) for stems in durations.values())))
    rng.shuffle(common)
    shared_by_split: dict[str, list[str]] = {}
    for split, count in counts.items():
        shared_by_split[split], common = common[:count], common[count:]
    taken = {stem for stems in shared_by_split.values() for stem in stems}
    assignment: Assignment = {}
    for domain, stems in durations.items():
        own = sorted(set(stems) - taken - shared_stems(durations)) if len(durations) > 1 else []
        rng.shuffle(own)
        chosen: dict[str, str] = {}
        for split, count in counts.items():
            n_missing = count - len(shared_by_split[split])
            names = shared_by_split[split] + own[:n_missing]
            own = own[n_missing:]
            chosen |= dict.fromkeys(names, split)
        assignment[domain] = chosen
    return assignment


def _train_stems(
    durations: Mapping[str, Mapping[str, float]],
    held_out: set[str],
    keep_shared: bool,
    rng: random.Random,
) -> dict[str, list[str]]:
    """Choose the train stems of each domain; a common stem goes to the domain with least speech."""
    shared = set() if keep_shared else shared_stems(durations)
    train = {
        domain: [stem for stem in sorted(stems) if stem not in held_out | shared]
        for domain, stems in durations.items()
    }
    seconds = {domain: sum(durations[domain][stem] for stem in train[domain]) for domain in train}
    to_share = sorted(shared - held_out)
    rng.shuffle(to_share)
    for stem in to_share:
        holders = [domain for domain in durations if stem in durations[domain]]
        poorest = min(holders, key=lambda domain: (seconds[domain], domain))
        train[poorest].append(stem)
        seconds[poorest] += durations[poorest][stem]
    return train


def _stem(line: str, known: Collection[str]) -> str | None:
    """The stem that a line names, itself or as the name of a file; None: it is not known."""
    name = word(line)
    return next((stem for stem in (name, name.rpartition(".")[0]) if stem in known), None)


def _lines(path: Path) -> list[tuple[str, str]]:
    """Return the lines of a list with their places, `FILE:NUMBER`."""
    try:
        lines = read_text(path, "surrogateescape").split("\n")
    except FileNotFoundError:
        raise InputError(f"there is no list {path}; write one (it may be empty)") from None
    except OSError as error:
        raise InputError(f"cannot read the list {path}: {error.strerror}; check it") from None
    return [
        (f"{printable(path)}:{number}", line.strip())
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
