"""Steps a second and memory of training, by experiment, as `voiceconv train` would run it.

    python benchmarks/throughput.py vocos_small maskcyclegan_vc_small [--threads 2] [--device cuda]

Data are noise: what a step costs does not depend on them. Each row is a process of its own, whose
peak of memory is its own, too. A vocoder's spectra alone, and the steps with an identity loss, are
what a run begins with.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

N_WARM, SECONDS = 3, 20.0  # steps before the clock starts; how long it runs
PHASES = {
    "spectra": ["objective.waves_start=1000000"],
    "waves and judges": ["objective.waves_start=0"],
    "with identity": ["objective.identity_steps=1000000"],
    "without identity": ["objective.identity_steps=0"],
}


def noise_dump(folder: Path, node: dict[str, object]) -> Path:
    """Two domains of noise, 20 s each, as `voiceconv extract --waves` leaves them."""
    import soundfile

    from voiceconv.data.extract import extract
    from voiceconv.data.statistics import write_stats

    rate, rng = int(str(node["sample_rate"])), np.random.default_rng(0)
    for split in ("train", "val"):
        lines = []
        for domain in ("a", "b"):
            path = folder / f"{split}-{domain}.wav"
            soundfile.write(path, 0.1 * rng.standard_normal(20 * rate), rate)
            lines.append((f"{domain}-1", path, domain))
        (folder / "data" / split).mkdir(parents=True)
        for name, column in (("wav.scp", 1), ("utt2spk", 2)):
            text = "".join(f"{line[0]} {line[column]}\n" for line in lines)
            (folder / "data" / split / name).write_text(text)
    extract(folder / "data", folder / "dump", node, 1, loudness=-23.0, waves=True)
    write_stats(folder / "dump" / "train")
    return folder / "dump"


def measure(experiment: str, phase: str, threads: int, more: list[str], result: str) -> None:
    """In a process: seconds a step, and the peak of memory, to a file."""
    from voiceconv.build import compose_config
    from voiceconv.commands.train import prepare_trainer
    from voiceconv.commands.vocoder_train import prepare_vocoder_trainer

    torch.set_num_threads(threads)
    is_vocoder = experiment.startswith(("vocos", "hifigan"))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        overrides = [f"experiment={experiment}", "name=x", "run_dir=x", "data.dump=x", *more]
        root = "train_vocoder" if is_vocoder else "config"
        config = compose_config([*overrides, *PHASES.get(phase, [])], root=root)
        config.data.dump = str(noise_dump(folder, dict(config.features)))
        prepare = prepare_vocoder_trainer if is_vocoder else prepare_trainer
        trainer = prepare(config, folder / "run")
        for _ in range(N_WARM):
            trainer.train_step()
        n_steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < SECONDS or n_steps < 3:
            trainer.train_step()
            n_steps += 1
        if trainer.device.type == "cuda":
            torch.cuda.synchronize()
            peak = torch.cuda.max_memory_allocated()
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        speed = n_steps / (time.perf_counter() - start)
    Path(result).write_text(json.dumps([speed, peak]))


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--set", nargs="*", default=[], help="overrides of the configuration")
    options = parser.parse_args()
    more = [f"trainer.device={options.device}", *options.set]
    context = multiprocessing.get_context("spawn")
    print("| experiment | phase | steps/s | peak memory, MiB |")
    print("| --- | --- | --- | --- |")
    for experiment in options.experiments:
        phases = ["with identity", "without identity"]
        if experiment.startswith(("vocos", "hifigan")):
            phases = ["spectra", "waves and judges"] if "small" in experiment else ["all"]
        for phase in phases:
            with tempfile.NamedTemporaryFile() as result:
                arguments = (experiment, phase, options.threads, more, result.name)
                process = context.Process(target=measure, args=arguments)
                process.start()
                process.join()
                speed, peak = json.loads(Path(result.name).read_text())
            print(f"| {experiment} | {phase} | {speed:.2f} | {peak / 2**20:.0f} |", flush=True)


if __name__ == "__main__":
    main()
