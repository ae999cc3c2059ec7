"""Several recordings at once: the same files, messages and errors as one after the other."""

import errno
import os
import pickle
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny_model import MEL_CONFIG, RATE, Cli, make_cli, make_converter, record, speech

from voiceconv import audio
from voiceconv.commands import batch
from voiceconv.commands.jobs import Job, plan
from voiceconv.errors import InputError, RunError
from voiceconv.files import replacing
from voiceconv.provenance import CONVERSION


@pytest.fixture
def voiceconv(monkeypatch, capsys) -> Cli:
    return make_cli(monkeypatch, capsys)


@pytest.fixture
def recordings(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for number, seconds in enumerate((0.8, 0.2, 0.5)):
        record(tmp_path / f"in/{number}.wav", speech("low", seconds, seed=number), RATE)
    return tmp_path / "in"


def contents(folder: str) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in sorted(Path(folder).iterdir())
        if path.name != CONVERSION
    }


def test_conversions_and_messages_are_those_of_one_job(voiceconv, recordings):
    make_converter().save_pretrained("model", {})
    (recordings / "1b.wav").write_bytes(b"")
    record(recordings / "3.wav", 1e-4 * speech("low", 0.2), RATE)
    said = {}
    for jobs in ("1", "2"):
        said[jobs] = voiceconv(
            "convert", "in", "-o", f"out{jobs}", "--target", "high", "--model", "model",
            "--jobs", jobs, "-v", "--semitones", "1",
        )  # fmt: skip
    assert contents("out1").keys() == {"0.wav", "1.wav", "2.wav", "3.wav"}
    assert contents("out1") == contents("out2")
    assert said["2"].code == 1
    assert said["2"].err == said["1"].err.replace("out1", "out2")
    assert said["1"].err.count("on top") == 3 and "in/1b.wav is empty" in said["1"].err
    assert "\nvoiceconv: in/3.wav is nearly silent, at " in said["1"].err


def test_copies_are_those_of_one_job(voiceconv, recordings):
    make_converter(MEL_CONFIG).save_pretrained("model", {})
    for jobs in ("1", "2"):
        arguments = ("--model", "model", "--jobs", jobs, "--sample-rate", "22050")
        assert voiceconv("resynth", "in", "-o", f"out{jobs}", *arguments) == (0, "", "")
    assert contents("out1") == contents("out2") and len(contents("out1")) == 3


def test_what_is_there_is_skipped_and_a_wrong_domain_costs_no_worker(voiceconv, recordings):
    make_converter().save_pretrained("model", {})
    arguments = ("convert", "in", "-o", "out", "--model", "model", "--jobs", "2")
    said = voiceconv(*arguments, "--target", "x")
    assert said == (2, "", "voiceconv: error: no target 'x': this model knows high, low\n")
    assert not Path("out").exists()
    assert voiceconv(*arguments, "--jobs", "0", "--target", "high").code == 2
    Path("out").mkdir()
    for name in ("0.wav", "1.wav"):
        (Path("out") / name).write_bytes(b"mine")
    assert voiceconv(*arguments, "--target", "high", "--skip-existing").code == 0
    found = contents("out")
    assert found.pop("2.wav") != b"mine" and found == {"0.wav": b"mine", "1.wav": b"mine"}


def jobs_of(folder: Path) -> list[Job]:
    return plan([str(folder)], "out", "x", None)


def open_copy() -> batch.Opened:
    return batch.Opened(lambda wave, domain, report: wave, RATE)


def open_raising() -> batch.Opened:
    def change(wave, domain, report):
        if len(wave) == 0.2 * RATE:
            raise ZeroDivisionError("by hand")
        return wave

    return batch.Opened(change, RATE)


def test_what_a_worker_raises_is_raised_with_its_traceback(recordings):
    with pytest.raises(ZeroDivisionError, match="^by hand") as raised:
        batch.run(jobs_of(recordings), open_copy(), open_raising, n_workers=2)
    (note,) = raised.value.__notes__
    assert "in change" in note and 'raise ZeroDivisionError("by hand")' in note


def open_failing(number: int, error: str) -> batch.Opened:
    """A model that gives NaN of the second recording, or finds the disk full there."""

    def change(wave, domain, report):
        if len(wave) != 0.2 * RATE:
            return wave
        if error == "NaN":
            return wave * float("nan")
        raise OSError(number, os.strerror(number))

    return batch.Opened(change, RATE)


@pytest.mark.parametrize("n_workers", [1, 2])
@pytest.mark.parametrize(
    ("error", "number", "said"),
    [
        ("NaN", 0, "voiceconv: nothing is written to out/1.wav: the wave holds NaN or infinite"),
        ("a bad sector", errno.EIO, "/in/1.wav: Input/output error\n"),
    ],
)
def test_a_bad_output_stops_no_folder(recordings, capsys, n_workers, error, number, said):
    opened, done = partial(open_failing, number, error), []
    with pytest.raises(RunError, match="^1 of 3 inputs were not converted: .*in/1.wav; see above$"):
        batch.run(jobs_of(recordings), opened(), opened, n_workers=n_workers, done=done.append)
    assert contents("out").keys() == {"0.wav", "2.wav"}
    assert [Path(job.path).name for job in done] == ["0.wav", "2.wav"]
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_full_disk_stops_a_folder(recordings, n_workers):
    opened = partial(open_failing, errno.ENOSPC, "full")
    with pytest.raises(OSError, match="No space left"):
        batch.run(jobs_of(recordings), opened(), opened, n_workers=n_workers)
    assert "1.wav" not in contents("out")


def test_where_nothing_was_converted_nothing_says_what_made_it(voiceconv, recordings):
    make_converter().save_pretrained("model", {})
    for path in recordings.iterdir():
        path.write_bytes(b"")
    Path("out").mkdir()
    said = voiceconv("convert", "in", "-o", "out", "--target", "high", "--model", "model")
    assert said.code == 1 and "3 of 3 inputs were not converted" in said.err
    assert not list(Path("out").iterdir())


def test_a_job_is_of_one_channel(tmp_path):
    sides = torch.stack([speech("low", 0.1), speech("high", 0.1)], dim=1)
    path = record(tmp_path / "call.wav", sides, subtype="FLOAT")
    for channel in (0, 1):
        job = Job(path, tmp_path / f"{channel}.wav", channel=channel)
        open_copy().do(job, None, lambda share: None)
        heard = audio.read(job.output).samples
        assert (heard - sides[:, channel]).abs().max() < 1e-4


class OddError(Exception):
    """Takes other arguments than it keeps: a pickle of it cannot be read."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")

    def __reduce__(self):
        return OddError, self.args  # as Exception has it, unless a package has made it cleverer


@pytest.mark.parametrize(
    ("error", "type_", "message"),
    [
        (RunError("disk full"), RunError, "disk full"),
        (InputError("odd", "arguments"), InputError, "('odd', 'arguments')"),
        (OSError(28, "No space left on device", "out"), OSError, "No space left on device"),
        (OddError(1, 2), RuntimeError, "OddError: 1 and 2"),
    ],
)
def test_what_gets_through_a_pipe(error, type_, message):
    got = pickle.loads(pickle.dumps(batch._portable(error)))
    assert type(got) is type_
    assert message in str(got)
    assert f"{type(error).__name__}: " in got.__notes__[0]


def open_dying() -> batch.Opened:
    def change(wave, domain, report):
        if len(wave) == 0.2 * RATE:
            os.kill(os.getpid(), signal.SIGKILL)
        return wave

    return batch.Opened(change, RATE)


def test_a_worker_that_dies_costs_one_file(recordings, capsys):
    with pytest.raises(RunError, match="^1 of 3 inputs were not converted: .*in/1.wav; see above$"):
        batch.run(jobs_of(recordings), open_copy(), open_dying, n_workers=2)
    assert contents("out").keys() == {"0.wav", "2.wav"}
    assert capsys.readouterr().err == (
        f"voiceconv: {recordings}/1.wav: the worker process was killed by signal 9; try fewer "
        "--jobs\n"
    )


def open_slow(flag: str) -> batch.Opened:
    """In its worker, a file is half-written for a long time."""

    def write(path, wave, sample_rate):
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            Path(flag).touch()
            time.sleep(60)

    audio.write = write
    return open_copy()


def test_ctrl_c_leaves_nothing_half_written(recordings, tmp_path):
    flag = tmp_path / "flag"
    Path("out").mkdir()

    def interrupt():
        while not flag.exists():
            time.sleep(0.05)
        assert contents("out")  # what is half-written
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # xdist ignores it
    threading.Thread(target=interrupt, daemon=True).start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            batch.run(jobs_of(recordings), open_copy(), partial(open_slow, str(flag)), n_workers=2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 55
    assert contents("out") == {}


def open_nowhere() -> batch.Opened:
    raise AssertionError("no worker was to be started")


def test_a_stream_stays_in_this_process(recordings, monkeypatch):
    waves = []
    opened = batch.Opened(lambda wave, domain, report: (waves.append(len(wave)), wave)[1], RATE)
    jobs = jobs_of(recordings)
    monkeypatch.setattr(batch, "STREAM", jobs[0].path)
    batch.run(jobs, opened, open_nowhere, n_workers=2)
    assert waves == [12800, 3200, 8000]
    monkeypatch.undo()
    with pytest.raises(InputError, match="no output at 1 Hz"):
        batch.run(jobs, opened, open_nowhere, output_rate=1, n_workers=2)


def test_a_workers_torch_has_one_thread():
    before = torch.get_num_threads()
    handler = signal.getsignal(signal.SIGTERM)
    torch.set_num_threads(2)
    try:
        with batch._setup(0, open_copy, None):
            assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
        signal.signal(signal.SIGTERM, handler)
