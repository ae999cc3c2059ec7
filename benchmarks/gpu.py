"""What `benchmarks/gpu.sh` does: see there. Each part writes into a folder and can be called again.

environment  the machine, and whether its matrix products are right, in float32 and bf16
steps        steps a second of every paper-size experiment with every switch of speed, and of peers
train        a piece of the flagship's training, which ends by itself; then the model so far
pack         what `train` needs, in a folder; `unpack` makes a dump of it again

A row that is in OUT/steps.json is not measured again. Data of `steps` are noise: what a step costs
does not depend on them.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import machine

HERE = Path(__file__).resolve().parent
EXPERIMENTS = (
    "maskcyclegan_vc hifigan_v1 any_to_many vocos cyclegan_vc2 cyclegan_vc cyclegan_vc3 stargan_vc "
    "stargan_vc2 unit munit cut pix2pix pix2pixhd hifigan_v2 hifigan_v3"
).split()
SPEEDS = {  # in the order of measurement: what is left out when time is short comes last
    "float32": [],
    "bf16": ["trainer.precision=bf16"],
    "cuda_graphs": ["trainer.speed=[cuda_graphs]"],
    "bf16, cuda_graphs": ["trainer.precision=bf16", "trainer.speed=[cuda_graphs]"],
    "compile": ["trainer.speed=[compile]"],
    "channels_last": ["trainer.speed=[channels_last]"],
    "Adam not fused": ["optimizer.generator.fused=false", "optimizer.discriminator.fused=false"],
}
BASE = ["trainer.precision=float32", "name=x", "run_dir=x", "data.dump=x"]
TOY = ["experiment=cyclegan_vc2_small", "data.n_frames=32"]  # of --cpu
NOT_MEASURED = {  # the clones that --peers may hold
    "hifi-gan": "its train() has no step to call, and its torch.stft needs torch before 2.0",
    "vocos": "its step is Lightning 1.8's, with optimizer_idx, which current versions lack",
    "StarGAN-Voice-Conversion": "no adapter",
    "UNIT": "no adapter",
    "pix2pixHD": "no adapter",
}
PORT = "MaskCycleGAN-VC"
N_WARM = 5
LARGEST = 15 * 2**20  # bytes of a file in the folder of results


# ------------------------------------------------------------------------------------- environment


def environment(options: argparse.Namespace) -> None:
    """OUT/environment.json; raises AssertionError where a product is wrong."""
    size = 256 if options.device == "cpu" else 8192
    found: dict[str, Any] = {**machine(), "python": sys.version.split()[0]}
    if options.device != "cpu":
        found["gpu"] = torch.cuda.get_device_name()
        found["gpu_memory_gib"] = torch.cuda.get_device_properties(0).total_memory / 2**30
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(size, size, device=options.device).to(dtype) for _ in range(2))
        wanted = a[:64].double() @ b.double()
        product = a @ b
        error = float((product[:64] - wanted).abs().max() / wanted.abs().max())
        assert error < 0.02, f"a product of {dtype} is wrong by {error:.1%}"
        seconds = timed(lambda a=a, b=b: a @ b, 0.5)
        found[str(dtype)] = {"tflop_per_s": 2e-12 * size**3 / seconds, "largest_error": error}
    write(options.out / "environment.json", found)
    print(json.dumps(found, indent=2))


def timed(work: Any, seconds: float) -> float:
    """Mean seconds of a call, over at least so long."""
    work()
    wait()
    n_calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds or n_calls < 3:
        work()
        n_calls += 1
        if n_calls % 10 == 0:
            wait()  # else a thousand calls are in the queue when the time is over
    wait()
    return (time.perf_counter() - start) / n_calls


def wait() -> None:
    """Until the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


# ------------------------------------------------------------------------------------------- steps


def steps(options: argparse.Namespace) -> None:
    """OUT/steps.json and steps.md, a process for each row, until the time is over."""
    started = time.monotonic()
    path = options.out / "steps.json"
    rows: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    for name, command in contestants(options):
        if name in rows:
            continue
        if time.monotonic() - started > options.minutes * 60:
            print(f"time is over with {len(rows)} rows; the same command measures the others")
            break
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=options.patience)
            last = [*done.stdout.splitlines(), ""][-1 if not done.stdout else -2]
            said = [*done.stderr.splitlines(), "no word"][-2 if done.stderr else -1]
            rows[name] = json.loads(last) if done.returncode == 0 else {"error": said[-200:]}
        except subprocess.TimeoutExpired:
            rows[name] = {"error": f"no figure within {options.patience:.0f} s"}
        print(f"{name}: {json.dumps(rows[name])}", flush=True)
        write(path, rows)
    (options.out / "steps.md").write_text("\n".join(table(rows)) + "\n")
    print("\n".join(table(rows)))


def contestants(options: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """Names of rows, and the commands that measure them."""
    common = [
        "--device",
        options.device,
        "--seconds",
        str(options.seconds),
        "--out",
        str(options.out),
    ]
    program = [sys.executable, str(HERE / "gpu.py")]
    for peer in options.peers.iterdir() if options.peers else ():
        if peer.name == PORT:
            yield f"{PORT}, its own step | float32", [*program, "peer", str(peer), *common]
    for speed in SPEEDS:
        if "cuda_graphs" in speed and options.device == "cpu":
            continue
        for experiment in EXPERIMENTS[: 1 if options.toy else None]:
            yield f"{experiment} | {speed}", [
                *program, "row", experiment, speed, *common, *(["--toy"] if options.toy else [])
            ]  # fmt: skip


def table(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """In markdown: an experiment a line, a switch a column."""
    names = list(dict.fromkeys(name.partition(" | ")[0] for name in rows))
    yield f"| steps/s (GiB) | {' | '.join(SPEEDS)} |"
    yield f"|{' --- |' * (len(SPEEDS) + 1)}"
    for name in names:
        cells = (rows.get(f"{name} | {speed}") for speed in SPEEDS)
        yield f"| {name} | {' | '.join(map(cell, cells))} |"
    yield ""
    yield from (f"- {name}: {row['error']}" for name, row in rows.items() if "error" in row)
    yield from (f"- {name}: not measured: {why}" for name, why in NOT_MEASURED.items())


def cell(row: Mapping[str, Any] | None) -> str:
    """A figure, a failure (which a line below explains), or nothing."""
    if row is None:
        return ""
    return f"{row['steps_per_s']:.2f} ({row['gib']:.1f})" if "steps_per_s" in row else "failed"


def row(options: argparse.Namespace) -> None:
    """In a process: one JSON line."""
    from throughput import noise_dump

    from voiceconv.build import compose_config
    from voiceconv.commands.train import prepare_trainer
    from voiceconv.commands.vocoder_train import prepare_vocoder_trainer

    experiment, speed = options.what_of
    is_vocoder = experiment.startswith(("vocos", "hifigan"))
    chosen = TOY if options.toy else [f"experiment={experiment}"]
    overrides = [*chosen, *BASE, *SPEEDS[speed], f"trainer.device={options.device}"]
    config = compose_config(overrides, root="train_vocoder" if is_vocoder else "config")
    node = dict(config.features)
    known = "-".join(str(value).rpartition(".")[2] for value in node.values()).replace("/", "_")
    place = options.out / "noise" / known
    if not (place / "dump" / "train" / "stats.safetensors").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        noise_dump(place, node)
    config.data.dump = str(place / "dump")
    prepare = prepare_vocoder_trainer if is_vocoder else prepare_trainer
    trainer = prepare(config, options.out / "noise" / "run" / f"{experiment}-{os.getpid()}")
    start = time.perf_counter()
    for _ in range(N_WARM):
        losses = trainer.train_step()
    wait()
    warm = time.perf_counter() - start
    seconds = timed(trainer.train_step, options.seconds)
    bad = [name for name, value in losses.items() if not torch.isfinite(value)]
    assert not bad, f"{', '.join(bad)}: not finite"
    say_figure(1 / seconds, {"seconds_of_first_steps": warm, "batch": config.data.batch_size})


def peer(options: argparse.Namespace) -> None:
    """The port's own training step, at batch 1 and 64 frames as ours has it: one JSON line."""
    from common import crops
    from training_step import N_CHANNELS, N_FRAMES, port_step

    batch = [one.to(options.device) for one in crops(N_CHANNELS, N_FRAMES)]
    step = port_step(Path(options.what_of[0]).resolve(), batch, options.device)
    for _ in range(N_WARM):
        step()
    say_figure(1 / timed(step, options.seconds), {"batch": 1})


def say_figure(steps_per_s: float, more: Mapping[str, Any]) -> None:
    """As the process that has started this one reads it."""
    gib = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
    print(json.dumps({"steps_per_s": steps_per_s, "gib": gib, **more}))


# ------------------------------------------------------------------------------------------- train


def train(options: argparse.Namespace) -> None:
    """A piece of any_to_many's training, then its model in OUT/flagship.

    It is the model that users get (`four-voices`), and its 15 MiB come back through files of 16;
    MaskCycleGAN-VC's pair of generators has 126 MiB, a vocoder's waves don't fit into a pack. The
    checkpoint (80 MiB) stays in WORK, from which the next piece goes on.
    """
    from voiceconv.build import compose_config
    from voiceconv.commands.train import prepare_trainer

    dump = options.work / "dump"
    if not (dump / "train" / "feats.scp").exists():
        unpack(options.pack, dump)
    targets = (options.pack / "targets").read_text().split()
    overrides = [
        "experiment=any_to_many",
        "name=flagship",
        f"run_dir={options.work / 'run'}",
        f"data.dump={dump}",
        f"data.targets=[{','.join(targets)}]",
        f"trainer.n_steps={options.steps}",
        f"trainer.decay_start={options.steps // 2}",
        f"trainer.device={options.device}",
        "trainer.validate_every=0",
        "trainer.checkpoint_every=2000",
        *(["data.batch_size=1", "data.n_frames=32"] if options.toy else []),
        *options.set,
    ]
    trainer = prepare_trainer(compose_config(overrides), options.work / "run")
    ending = threading.Timer(options.seconds, os.kill, (os.getpid(), signal.SIGTERM))
    ending.daemon = True
    ending.start()
    finished = trainer.run()
    ending.cancel()
    assert trainer.validator is not None
    trainer.validator.ship(trainer.step, trainer.network)
    for file in sorted((options.work / "run" / "model").iterdir()):
        hand_over(file, options.out / "flagship")
    said = "trained" if finished else "not yet trained: the same command goes on"
    print(f"step {trainer.step} of {options.steps}, {said}")


def hand_over(file: Path, folder: Path) -> None:
    """Copy a file; a larger one as NAME.00, NAME.01 ..., for `cat NAME.* > NAME`."""
    folder.mkdir(parents=True, exist_ok=True)
    content = file.read_bytes()
    if len(content) <= LARGEST + 2**20 - 2**10:
        (folder / file.name).write_bytes(content)
        return
    for number in range(-(-len(content) // LARGEST)):
        part = content[number * LARGEST : (number + 1) * LARGEST]
        (folder / f"{file.name}.{number:02d}").write_bytes(part)


# -------------------------------------------------------------------------------------------- pack


def pack(options: argparse.Namespace) -> None:
    """PACK/frames.npz of a dump's train split, in float16: as many utterances as fit.

    Of each domain the same share, spread over its utterances.
    """
    from voiceconv.data.dump import read_dump

    split = options.dump / "train"
    options.pack.mkdir(parents=True, exist_ok=True)
    for name in ("features.yaml", "processing.yaml", "stats.safetensors"):
        shutil.copy(split / name, options.pack)
    utterances = read_dump(split)
    targets = options.targets or list(utterances)
    if unknown := set(targets) - set(utterances):
        raise SystemExit(f"{split} has no {', '.join(sorted(unknown))}")
    (options.pack / "targets").write_text("\n".join(targets) + "\n")
    path = options.pack / "frames.npz"
    for share in np.arange(1.0, 0.0, -0.05):
        chosen = {
            f"{domain}/{stem}": frames.astype(np.float16)
            for domain, some in utterances.items()
            for number, (stem, frames) in enumerate(some.items(), 1)
            if int(number * share) > int((number - 1) * share) or len(some) == 1
        }
        if sum(frames.nbytes for frames in chosen.values()) > 1.5 * options.mib * 2**20:
            continue  # no compression will do
        np.savez_compressed(path, **chosen)  # type: ignore[arg-type]
        if path.stat().st_size <= options.mib * 2**20:
            break
    mib = path.stat().st_size / 2**20
    print(f"{len(chosen)} utterances, {share:.0%} of each domain, {mib:.1f} MiB in {path}")


def unpack(packed: Path, dump: Path) -> None:
    """The train split of a dump, as `voiceconv train` reads it."""
    from voiceconv.data.archive import ArchiveWriter

    split = dump / "train"
    split.mkdir(parents=True, exist_ok=True)
    for name in ("features.yaml", "processing.yaml", "stats.safetensors"):
        shutil.copy(packed / name, split)
    lines = []
    with np.load(packed / "frames.npz") as frames, ArchiveWriter(split, "feats", 0) as archive:
        for name in sorted(frames.files):
            domain, _, stem = name.partition("/")
            archive.write(f"{domain}-{stem}", frames[name].astype(np.float32))
            lines.append(f"{domain}-{stem} {domain}\n")
    (split / "utt2spk").write_text("".join(lines))
    (split / "feats.0.scp").rename(split / "feats.scp")  # last: it says that all is there


# -------------------------------------------------------------------------------------------- main


def write(path: Path, found: Any) -> None:
    """JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found, indent=2) + "\n")
    part.replace(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = {part.__name__: part for part in (environment, steps, row, peer, train, pack)}
    parser.add_argument("part", choices=parts)
    parser.add_argument("what_of", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path("exp/gpu"))
    parser.add_argument("--work", type=Path, default=Path("exp/gpu/work"))
    parser.add_argument("--pack", type=Path, default=Path("exp/gpu/pack"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--toy", action="store_true", help="toy sizes, to try it on a CPU")
    parser.add_argument("--peers", type=Path, help="a folder with clones of original repositories")
    parser.add_argument("--seconds", type=float, default=6.0, help="of a row, or of a piece")
    parser.add_argument("--minutes", type=float, default=8.5, help="steps begins no row after them")
    parser.add_argument("--patience", type=float, default=150.0, help="seconds of a row at most")
    parser.add_argument("--steps", type=int, default=60_000, help="of the flagship's training")
    parser.add_argument("--set", nargs="*", default=[], help="overrides of the flagship's")
    parser.add_argument("--dump", type=Path, help="pack: of egs/rhasspy/any1, say")
    parser.add_argument("--targets", nargs="*", help="pack: domains of the model; default all")
    parser.add_argument("--mib", type=float, default=15.0, help="pack: of frames")
    options = parser.parse_args(arguments)
    options.out = options.out.resolve()
    options.work = options.work.resolve()
    parts[options.part](options)


if __name__ == "__main__":
    main()
