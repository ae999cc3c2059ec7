"""`voiceconv train`: a configuration and an extracted corpus to a run with a model in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import DictConfig, OmegaConf

from voiceconv.build import build, class_of, same_settings
from voiceconv.converter import PARTS, FileConverter, FrameConverter, converter_class
from voiceconv.data.crops import Crops, PairedCrops, Utterances
from voiceconv.data.dump import read_dump
from voiceconv.data.statistics import read_stats
from voiceconv.data.stores import local
from voiceconv.errors import InputError
from voiceconv.features import DomainStats, Representation, differences
from voiceconv.models import Translator
from voiceconv.models.streaming import StreamingTranslator
from voiceconv.objectives import Objective
from voiceconv.runs.file_validation import FileValidation
from voiceconv.runs.hydra_main import call_hydra, run_training
from voiceconv.runs.settings import CONVERTER
from voiceconv.runs.setup import (
    make_objective,
    make_trainer,
    require_same_frames,
    require_same_loudness,
    warn_of_short,
)
from voiceconv.runs.validation import Validation
from voiceconv.training.distributed import Ranks
from voiceconv.training.trainer import Trainer, Validator

FIXED = (
    "features",
    "translator",
    "discriminator",
    "objective",
    "batches",
    "vocoder",
    "seed",
    "data",
    "init_from",
)  # for a run's whole life


def train_command(arguments: Sequence[str]) -> None:
    """Train a converter as Hydra is told; see `call_hydra`."""
    call_hydra(_hydra_main, arguments, "train")


@hydra.main(config_path="pkg://voiceconv.conf", config_name="config", version_base="1.3")
def _hydra_main(config: DictConfig) -> None:
    run_training(config, CONVERTER, prepare_trainer)


def prepare_trainer(config: DictConfig, folder: Path, ranks: Ranks = Ranks()) -> Trainer:  # noqa: B008 (frozen)
    """Build the trainer of a configuration in `folder`, without training.

    Raises InputError.
    """
    dump = local(config.data.dump)
    require_same_frames(config.features, dump / "train")
    require_same_loudness(config.data.loudness, dump / "train")
    every = read_stats(dump / "train")
    stats = of_targets(every, config.data.targets, dump)
    translator = class_of(config.translator, Translator)
    if issubclass(translator, StreamingTranslator):
        raise InputError(
            f"{translator.__name__} learns from a teacher; train it by `voiceconv distill train`"
        )
    if len(stats) == 1 and not translator.any_source:
        raise InputError(
            f"data.targets names {', '.join(stats)} alone, and {translator.__name__} converts "
            "between two domains or more; name another, or choose experiment=any_to_many"
        )
    batches = make_batches(config, dump, every, stats, ranks)
    torch.manual_seed(config.seed)
    converter = converter_class(config.features)(model_config(config), stats)
    if config.init_from is not None:
        start_from(config.init_from, converter)
    n_channels = converter.representation.n_channels
    objective = make_objective(config, converter.translator, n_channels, len(stats), ranks.rank)
    validator: Validator = (
        FileValidation(config, folder, converter)
        if isinstance(converter, FileConverter)
        else Validation(config, folder, converter)
    )
    return make_trainer(config, folder, ranks, objective, batches, validator, FIXED)


def start_from(model: str, converter: FrameConverter) -> None:
    """Give the translator the weights of a model, whose domains may be others.

    Raises InputError for other features, and for a network that they do not fit.
    """
    given = type(converter).from_pretrained(model, "torch")
    there, here = given.representation.definition, converter.representation.definition
    if differing := differences(here, there):
        raise InputError(
            f"init_from={model} has other features: {'; '.join(differing)}; begin with a model of "
            "the experiment's"
        )
    nodes = [one.config["translator"] for one in (converter, given)]
    if nodes[0]["_target_"] == nodes[1]["_target_"] and not same_settings(*nodes):
        raise InputError(
            f"init_from={model} has a translator of other settings ({nodes[1]}); override "
            "`translator` with these, or leave init_from out"
        )
    places = [
        given.domains.index(domain) if domain in given.domains else None
        for domain in converter.domains
    ]
    try:
        weights = converter.translator.grown(given.translator.state_dict(), places)
        converter.translator.load_state_dict(weights)
    except (ValueError, RuntimeError, LookupError) as error:
        raise InputError(
            f"init_from={model} holds a network that this experiment cannot start from "
            f"({str(error).splitlines()[-1].strip()[:120]}); override `translator`, or leave "
            "init_from out"
        ) from error


def model_config(config: DictConfig) -> dict[str, Any]:
    """What of a training configuration goes with the model; without a vocoder it is None."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return {part: plain.get(part) for part in PARTS} | {"loudness": plain["data"]["loudness"]}


def of_targets(
    stats: Mapping[str, DomainStats], targets: Sequence[str] | None, dump: Path
) -> dict[str, DomainStats]:
    """The domains that become a model's, all of the dump if `targets` is None.

    Raises InputError for a target that the dump lacks, and for a lone domain that has no target.
    """
    if targets is None:
        if len(stats) < 2:
            raise InputError(
                f"{dump}/train holds the one domain {', '.join(stats)}; a conversion needs two, or "
                f"data.targets=[{', '.join(stats)}] to convert any voice into it"
            )
        return dict(stats)
    missing = [target for target in targets if target not in stats]
    if missing or not targets:
        raise InputError(
            f"data.targets names {', '.join(missing) or 'no domain'}; {dump}/train holds "
            f"{', '.join(stats)}"
        )
    return {domain: stats[domain] for domain in sorted(set(targets))}


def make_batches(
    config: DictConfig,
    dump: Path,
    every: Mapping[str, DomainStats],
    stats: Mapping[str, DomainStats],
    ranks: Ranks,
) -> Crops:
    """Crops of a dump, of the kind that the objective takes; what is too short is said.

    every: the statistics of the dump's domains, stats: those of the model's. Raises InputError.
    """
    kind, objective = class_of(config.batches, Crops), class_of(config.objective, Objective)
    if not issubclass(kind.gives, objective.takes):
        raise InputError(
            f"{objective.__name__} trains on {objective.takes.__name__} batches, and "
            f"{kind.__name__} gives {kind.gives.__name__} ones; override `batches`"
        )
    utterances = read_domains(_split(config, dump, kind), every)
    others = {domain: some for domain, some in utterances.items() if domain not in stats}
    extra: dict[str, Any] = {}
    if kind.takes_others:
        extra = {"others": others, "extractor": build(config.features, Representation)}
    elif others:
        raise InputError(
            f"data.targets leaves {', '.join(others)} for sources only, which "
            f"{kind.__name__} does not use; override `batches`, or leave data.targets out"
        )
    if kind.takes_pairs:
        found = read_dump(_split(config, dump, PairedCrops))
        extra["pairs"] = {domain: found.get(domain, {}) for domain in stats}
    batches = build(
        config.batches,
        Crops,
        utterances={domain: utterances[domain] for domain in stats},
        stats=stats,
        **extra,
        n_frames=config.data.n_frames,
        batch_size=config.data.batch_size,
        seed=config.seed,
        rank=ranks.rank,
        world_size=ranks.world_size,
    )
    if ranks.is_main:
        for domain, n_left_out in batches.n_left_out.items():
            of = f"{batches.n_given[domain]} utterances of {domain!r}"
            warn_of_short(n_left_out, of, f"a crop of {batches.n_frames} frames")
    return batches


def _split(config: DictConfig, dump: Path, kind: type[Crops]) -> Path:
    """The split of a dump that a kind of crops is made of. Raises InputError for other frames."""
    there = [split for split in kind.splits if (dump / split / "feats.scp").exists()]
    split = dump / (there or kind.splits[-1:])[0]
    require_same_frames(config.features, split)
    return split


def read_domains(split: Path, stats: Mapping[str, DomainStats]) -> Utterances:
    """A split's frames by domain and stem. Raises InputError unless it has the statistics' domains.

    Of a split other than `train`, which may have more domains than are trained on, only these.
    """
    utterances = read_dump(split)
    if utterances.keys() == stats.keys():
        return utterances
    if split.name == "train" or not stats.keys() <= utterances.keys():
        raise InputError(
            f"{split} holds {', '.join(utterances)}, its statistics are of {', '.join(stats)}; run "
            f"`voiceconv stats {split}` again"
        )
    return {domain: utterances[domain] for domain in sorted(stats)}
