"""Clean files of every kind that voiceconv reads, made by its own commands, and what reads each."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import soundfile

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "listen")]

from listened import listened  # noqa: E402
from tiny_model import PITCH, record, speech  # noqa: E402
from tiny_test import answers_of  # noqa: E402

from voiceconv.listen.manifest import read_test  # noqa: E402

RATE = 24_000
SOUNDS = ["wav", "flac", "ogg", "mp3", "aiff"]
SUBTYPES = {"opus": ("OGG", "OPUS")}
TOY = ROOT / "egs" / "toy" / "vc1" / "conf"
SEARCH = f"hydra.searchpath=[file://{TOY}]"
TRAIN = f"train {SEARCH} experiment=toy data.dump=dump run_dir=run trainer.checkpoint_every=1"
STEPS = "trainer.decay_start=1 trainer.log_every=1 trainer.validate_every=2 data.n_frames=32"
EVALUATE = "evaluate converted -o new.json --jobs 1 --metric loudness --metric silence"
COMPARE = "--reference data/test --target low --metric mel_cepstral_distortion"
Run = Callable[[Sequence[str], Path], int]  # arguments, working directory -> exit code


class Kind(NamedTuple):
    """Files to damage, the commands that read them, and the parts of the world that these need.

    In a command, {0} is the folder of the damaged file, and {{}} is {}. changes: files that the
    commands may replace, as a run that goes on does.
    """

    name: str
    files: Sequence[str]
    commands: Sequence[str]
    needs: Sequence[str] = ()
    changes: Sequence[str] = ()
    weight: int = 1


def make_world(folder: Path, run: Run) -> None:
    """Speakers, data, dump, run, conversions, scores, an export, listening tests."""

    def call(command: str) -> None:
        if code := run(shlex.split(command), folder):
            raise SystemExit(f"voiceconv {command}: exit code {code}")

    for domain in PITCH:
        for number in range(6):
            wave = speech(domain, 0.8, RATE, seed=number)
            record(folder / f"speakers/{domain}/u{number}.wav", wave, RATE)
    call("prepare speakers data --n-val 1 --n-test 3")
    for split in (folder / "data").iterdir():
        table = split / "wav.scp"  # relative to the working directory, as a copy has it
        table.write_text(re.sub(r" .*/speakers/", " speakers/", table.read_text()))
        ids = [line.split()[0] for line in table.read_text().splitlines()]
        (split / "text").write_text("".join(f"{one} one two three\n" for one in ids))
    _segment(folder / "data/test", folder / "segmented")
    call(f"extract data dump --features experiment=toy --config-dir {TOY} --jobs 1")
    call("stats dump/train")
    call(f"{TRAIN} {STEPS} trainer.n_steps=2")
    call("convert data/test --target low --source high --model run -o converted")
    call("convert data/test --target low --model baseline:copy --dump dump -o copied")
    for name, converted in (("high-low", "converted"), ("high-low.copy", "copied")):
        call(f"{EVALUATE.replace('converted', converted)} {COMPARE}")
        (folder / "run/scores").mkdir(exist_ok=True)
        (folder / "new.json").rename(folder / f"run/scores/{name}.json")
    call("export run -o export")
    listened(folder / "listening", "mos", n_listeners=4, n_items=3)
    _answers(folder)
    (folder / "lists").mkdir()
    for domain in PITCH:
        for split, part in (("train", "u0 u1 u2 u3"), ("val", "u4"), ("test", "u5")):
            (folder / f"lists/{domain}.{split}").write_text("\n".join(part.split()) + "\n")
    _sounds(folder)


def _answers(folder: Path) -> None:
    """One listener's answers, as the page saves them."""
    test = read_test(folder / "listening")
    given = {"heard": {}, "seconds": 1.0, "answered": "2026-11-21T20:00:00Z"}
    answers = [
        {"trial": trial, "values": values, **given}
        for trial, values in answers_of(test, 0, lambda stimulus: 3).items()
    ]
    saved = {"format": 1, "test": test.id, "listener": "0123456789ab", "list": 0, "setup": {},
             "answers": answers, "comment": "", "finished": True}  # fmt: skip
    (folder / "given.json").write_text(json.dumps(saved))


def _segment(data: Path, segmented: Path) -> None:
    """The same data directory, with parts of recordings."""
    shutil.copytree(data, segmented)
    (segmented / "spk2utt").unlink()
    ids = [line.split()[0] for line in (data / "wav.scp").read_text().splitlines()]
    (segmented / "segments").write_text("".join(f"{one} {one} 0.1 0.7\n" for one in ids))
    (segmented / "reco2file_and_channel").write_text("".join(f"{one} {one} A\n" for one in ids))


def _sounds(folder: Path) -> None:
    """One recording in each format, `sound/EXTENSION/in.EXTENSION`, and good ones beside it."""
    wave = speech("high", 1.5, RATE, seed=9)
    for name in [*SOUNDS, *SUBTYPES]:
        form, subtype = SUBTYPES.get(name, (name.upper(), None))
        place = folder / f"sound/{name}/in.{name}"
        record(place, wave, RATE, format=form, subtype=subtype)
    with suppress(ImportError):
        import av

        place = folder / "sound/m4a/in.m4a"
        place.parent.mkdir()
        frame = av.AudioFrame.from_ndarray(wave.numpy()[None], "fltp", "mono")
        frame.sample_rate = RATE
        with av.open(str(place), "w") as output:
            stream = output.add_stream("aac", rate=RATE, layout="mono")
            resampler = av.AudioResampler(stream.format.name, "mono", RATE, stream.frame_size)
            for part in (*resampler.resample(frame), *resampler.resample(None), None):
                output.mux(stream.encode(part))
    for place in (folder / "sound").iterdir():
        for number, name in enumerate(("good", "fine", "sound")):
            record(place / f"{name}.wav", speech("high", 0.8, RATE, seed=20 + number), RATE)


def kinds(folder: Path) -> list[Kind]:
    """All that can be damaged, with how often."""
    sounds = sorted((folder / "sound").iterdir())
    return [
        *(_of_sound(one.name) for one in sounds),
        *_of_data(folder),
        *_of_models(),
        *_of_listening(),
    ]


def _of_sound(name: str) -> Kind:
    place = f"sound/{name}"
    commands = [
        f"convert {place}/in.{name} --target low --source high --model run -o out.wav",
        f"convert {place} --target low --source high --model run -o new",
        f"convert {place}/in.{name} --target low --model baseline:copy --dump dump -o out.flac",
        f"evaluate {place} -o new.json --jobs 1 --metric loudness --metric silence",
        f"evaluate {place} -o new.json --jobs 1 --copy-of {place} --metric stft_distance",
        f"listen build --system a={place} --system b={place} --test ab -o new --training 0 "
        "--checks 0",
        "prepare sound new --n-val 1 --n-test 1",
        "check sound --jobs 1",
    ]
    weight = {"wav": 6, "m4a": 2, "opus": 2, "aiff": 2}.get(name, 4)
    return Kind(name, [f"{place}/in.{name}"], commands, (place, "run/model", "dump"), (), weight)


def _of_data(folder: Path) -> list[Kind]:
    of_tables = [
        "convert {0} --target low --source high --model run -o new",
        "prepare {0} new --n-val 1 --n-test 1 --keep-shared",
        "extract {0} new --features mel --jobs 1",
        "check {0} --jobs 1",
        "evaluate {0} -o new.json --jobs 1 --metric loudness --domain high --source high "
        "--text {0}",
    ]
    of_text = [f"{EVALUATE} --text {{0}} --metric word_error --recogniser 'echo {{{{}}}}'"]
    needs = ("data/test", "segmented", "speakers", "run/model", "converted")
    tables = {
        "wav.scp": (["data/test/wav.scp", "segmented/wav.scp"], of_tables),
        "utt2spk": (["data/test/utt2spk", "data/test/spk2utt"], of_tables),
        "segments": (["segmented/segments", "segmented/reco2file_and_channel"], of_tables),
        "text": (["data/test/text"], [*of_text, *of_tables]),
        "split list": (
            ["lists/high.train", "lists/low.test"],
            ["prepare speakers new --lists lists"],
        ),
    }
    of_dump = [
        "stats dump/train",
        f"{TRAIN.replace('run_dir=run', 'run_dir=new')} {STEPS} trainer.n_steps=1 "
        "trainer.validate_every=0",
        "convert sound/wav/good.wav --target low --model baseline:knn --dump dump -o out.wav",
        f"extract data dump --features experiment=toy --config-dir {TOY} --jobs 1",
    ]
    in_dump = ("dump", "data", "speakers", "sound/wav")
    archives = [f"dump/train/{kind}.scp" for kind in ("feats", "f0", "ap")]
    for kind in ("feats", "f0"):
        arks = sorted(folder.glob(f"dump/train/{kind}.*.ark"))
        archives += [path.relative_to(folder).as_posix() for path in arks]
    return [
        *(Kind(name, files, commands, (*needs, "lists"), (), 2)
          for name, (files, commands) in tables.items()),
        Kind("feats.scp and ark", [*archives, "dump/train/utt2spk"], of_dump,
             in_dump, ("dump",), 3),
        Kind("features.yaml", ["dump/train/features.yaml", "dump/train/processing.yaml"], of_dump,
             in_dump, ("dump",), 2),
        Kind("dump's stats", ["dump/train/stats.safetensors"], of_dump[1:3], in_dump, ("dump",)),
    ]  # fmt: skip


def _of_models() -> list[Kind]:
    convert = "convert sound/wav/good.wav --target low --source high --model {} -o out.wav"
    use = [convert.format("run"), "info run", "convert data/test --target low --model run -o new"]
    again = [f"{TRAIN} {STEPS} trainer.n_steps=3"]
    model = ("run/model", "sound/wav", "data/test", "speakers")
    run = ("run", "dump", "data", "speakers")
    scores = ["run/scores/high-low.json", "run/scores/high-low.copy.json"]
    compare = [f"compare {scores[0]} {scores[1]}", f"compare {scores[1]} {scores[0]} --json"]
    show = "report run -o page.html --n-utterances 1"
    graphs = [f"export/translator_{one}.onnx" for one in ("0_to_1", "1_to_0")]
    return [
        Kind("scores.json", scores, [*compare, show], ("run",), (), 4),
        Kind("provenance.json", ["run/provenance.json"], [show, *again], run, ("run",)),
        Kind("model's config.yaml", ["run/model/config.yaml"], [*use, show],
             (*model, "run"), (), 3),
        Kind("run's config.yaml", ["run/config.yaml"], [*again, show], run, ("run",), 2),
        Kind("stats.safetensors", ["run/model/stats.safetensors"], use, model, (), 2),
        Kind("translator.safetensors", ["run/model/translator.safetensors"], use, model, (), 2),
        Kind("last.pt", ["run/checkpoints/last.pt"], again, run, ("run",), 2),
        Kind("run's log and curves", ["run/train.log", "run/validation.json"], [show, *again], run,
             ("run",)),
        Kind("export.json", ["export/export.json"], [convert.format("export")],
             ("export", "sound/wav"), (), 2),
        Kind("ONNX graph", graphs[:1], [convert.format("export")], ("export", "sound/wav")),
    ]  # fmt: skip


def _of_listening() -> list[Kind]:
    report = "listen report listening -o page.html -o table.csv"
    backup = "listen backup listening -o copy.sqlite"
    build = "listen build --system a=converted --system b=copied --test ab -o new"
    return [
        Kind("manifest.json", ["listening/manifest.json"],
             [report, "listen import listening given.json"], 
             ("listening", "given.json"), ("listening/answers.sqlite",), 3),
        Kind("answers.sqlite", ["listening/answers.sqlite"],
             [report, backup, "listen import listening given.json"], ("listening", "given.json"),
             ("listening",), 3),
        Kind("saved answers", ["given.json"], ["listen import listening given.json"],
             ("listening", "given.json"), ("listening",)),
        Kind("conversion.json", ["converted/conversion.json"],
             [f"{build} --training 0 --checks 0", EVALUATE,
              "convert sound/wav/good.wav --target low --model run -o converted/"],
             ("converted", "copied", "run/model", "sound/wav"), ("converted/conversion.json",), 2),
    ]  # fmt: skip


def seconds_of(path: Path) -> float:
    """The duration of a written sound file. Raises soundfile.LibsndfileError if it is torn."""
    return float(soundfile.info(str(path)).duration)
