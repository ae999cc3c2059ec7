"""A checkpoint is whole or absent, and can't run code."""

import errno
import os
import pickle
import resource
import signal

import numpy as np
import pytest
import torch
from tiny import trainer

from voiceconv.errors import InputError, RunError
from voiceconv.training.checkpoint import load_checkpoint, save_checkpoint

STATE = {"step": 7, "objective": {"weight": torch.arange(3.0)}, "replay": [{}], "average": None}


@pytest.fixture
def path(tmp_path):
    """A checkpoint of step 7."""
    path = tmp_path / "checkpoints" / "last.pt"
    save_checkpoint(path, STATE)
    return path


def test_what_is_saved_comes_back(path):
    found = load_checkpoint(path)
    assert found["objective"]["weight"].tolist() == [0.0, 1.0, 2.0]
    assert {key: found[key] for key in ("step", "replay", "average")} == {
        "step": 7,
        "replay": [{}],
        "average": None,
    }


def test_a_trainers_checkpoint_loads_with_weights_only(tmp_path):
    run = trainer(tmp_path, 2, replay_size=2, ema_decay=0.9)
    run.run()
    state = torch.load(run.checkpoint_path, weights_only=True)
    assert sorted(state) == [
        *("average", "best", "cuda_rng", "objective", "optimizers", "replay", "scaler", "step"),
        *("torch_rng", "validated"),
    ]
    assert state["cuda_rng"] == []  # of a run on the CPU


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cudas_random_state_is_in_a_checkpoint(tmp_path):
    run = trainer(tmp_path, 2, device="cuda")
    run.save()
    expected = torch.rand(3, device="cuda")
    run.load_state_dict(load_checkpoint(run.checkpoint_path))
    assert torch.equal(torch.rand(3, device="cuda"), expected)


class Bomb:
    """Pickled, it asks whoever loads it to make a directory."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("by_torch", [True, False])
def test_a_pickle_that_runs_code_is_refused(path, tmp_path, by_torch):
    target = str(tmp_path / "owned")
    if by_torch:
        torch.save({"step": 1, "bomb": Bomb(target)}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(target)))
    with pytest.raises(InputError, match=r"last\.pt: not readable as a checkpoint"):
        load_checkpoint(path)
    assert not os.path.exists(target)


def test_a_cut_checkpoint_is_refused(path):
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="delete it to start from the beginning"):
            load_checkpoint(path)


def test_a_flipped_bit_is_seen(path):
    """torch reads it as another number: it does not look at the checksums."""
    data = path.read_bytes()
    place = data.index(STATE["objective"]["weight"].numpy().tobytes())
    path.write_bytes(data[:place] + b"\1" + data[place + 1 :])
    assert torch.load(path, weights_only=True)["objective"]["weight"][0] != 0
    with pytest.raises(InputError, match=r"last\.pt: not readable as a checkpoint: it is damaged"):
        load_checkpoint(path)


def test_a_foreign_file_is_refused(path):
    rng = np.random.default_rng(0)
    for content in (b"step: 3\n", b"PK\x03\x04", b"\x80\x02}q", *map(rng.bytes, [200] * 50)):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not readable as a checkpoint"):
            load_checkpoint(path)


def test_what_torch_says_of_a_damaged_checkpoint_is_not_repeated(path):
    """Its advice is to switch the safe reading off."""
    path.write_bytes(pickle.dumps(np.float64, protocol=2))
    with pytest.raises(InputError) as caught:
        load_checkpoint(path)
    assert str(caught.value) == (
        f"{path}: not readable as a checkpoint: it is damaged, or of another program; delete it to "
        "start from the beginning"
    )


def test_a_checkpoint_of_other_contents_is_refused(tmp_path):
    run = trainer(tmp_path, 2)
    state = run.state_dict()
    keys = ("step", "objective", "optimizers", "replay", "best", "torch_rng")
    damages = [state | {key: value} for key in keys for value in (None, {}, "x", [None])]
    damages += [{k: v for k, v in state.items() if k != key} for key in keys]
    for damaged in [*damages, [state], 3]:
        with pytest.raises(
            InputError, match=r"last\.pt (belongs to a differ|is no checkpoint|was )"
        ):
            run.load_state_dict(damaged)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.pt: no such checkpoint"):
        load_checkpoint(tmp_path / "none.pt")


def full_disk(state, file):
    """torch.save on a disk that fills up in the middle."""
    file.write(b"half a checkpoint")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def torchs_full_disk(state, file):
    """What torch's own writer makes of it (2.11, on a full tmpfs)."""
    try:
        full_disk(state, file)
    except OSError:
        raise RuntimeError(  # noqa: B904 (as torch does it: by context alone)
            "[enforce fail at inline_container.cc:672] . unexpected pos 768 vs 662"
        )


@pytest.mark.parametrize("failure", [full_disk, torchs_full_disk])
def test_a_full_disk_keeps_the_old_checkpoint_and_leaves_nothing_else(path, monkeypatch, failure):
    before = path.read_bytes()
    monkeypatch.setattr(torch, "save", failure)
    with pytest.raises(RunError, match=r"of step 8 could not be written \(no space left"):
        save_checkpoint(path, STATE | {"step": 8})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["last.pt"]


def test_a_write_that_the_system_cuts_short_keeps_the_old_checkpoint(path):
    """Not simulated: a limit on file size stops the writing itself after 64 kB."""
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    try:
        with pytest.raises(
            RunError, match=r"of step 8 could not be written \(.*File too large.*is kept"
        ):
            save_checkpoint(path, {"step": 8, "weight": torch.zeros(2**20)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["last.pt"]


def test_a_full_disk_ends_a_run_with_the_last_good_checkpoint(tmp_path, monkeypatch):
    run = trainer(tmp_path, 10, checkpoint_every=2)
    save = torch.save
    monkeypatch.setattr(
        torch, "save", lambda s, p: save(s, p) if s["step"] < 5 else full_disk(s, p)
    )
    with pytest.raises(RunError, match=r"step 6 could not be written \(no space left"):
        run.run()
    assert load_checkpoint(run.checkpoint_path)["step"] == 4
    monkeypatch.undo()
    assert trainer(tmp_path, 10).run() is True


def test_a_kill_in_the_middle_of_writing_leaves_the_old_checkpoint(path, monkeypatch):
    """The name changes only when everything is on the disk."""
    order = []
    monkeypatch.setattr(os, "fsync", lambda fd, sync=os.fsync: (order.append("sync"), sync(fd)))
    monkeypatch.setattr(
        os, "replace", lambda a, b, move=os.replace: (order.append("rename"), move(a, b))
    )
    save_checkpoint(path, STATE | {"step": 8})
    assert order == ["sync", "rename"]
    assert load_checkpoint(path)["step"] == 8
