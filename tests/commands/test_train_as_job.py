"""Training as a job of submitit, whose local executor stands in for Slurm."""

import os
import subprocess
import sys

import pytest
import torch
import yaml
from test_config import TINY, make_dump

from voiceconv.build import compose_config

pytest.importorskip("hydra_plugins.hydra_submitit_launcher")


@pytest.mark.slow
def test_the_tasks_of_a_job_train_together(tmp_path):
    """Two tasks are two ranks; the run lies in a folder of the sweep, called by its overrides."""
    features = yaml.safe_load(yaml.safe_dump(dict(compose_config(["features=mel"]).features)))
    make_dump(tmp_path / "dump", features, {"low": [40, 60], "high": [50, 33]})
    job = ["hydra/launcher=submitit_local", "hydra.launcher.tasks_per_node=2"]
    paths = [f"data.dump={tmp_path}/dump", f"run_dir={tmp_path}/exp"]
    settings = ["experiment=maskcyclegan_vc_small", *TINY, "trainer.validate_every=0"]
    command = [sys.executable, "-m", "voiceconv", "train", "--multirun", *job, *settings, *paths]
    subprocess.run(command, check=True, timeout=600, env={**os.environ, "OMP_NUM_THREADS": "1"})
    (found,) = (tmp_path / "exp" / "sweep").glob("*/checkpoints/last.pt")
    state = torch.load(found, weights_only=True)
    assert (state["step"], len(state["torch_rng"])) == (1, 2)
    name = found.parts[-3]
    assert "experiment=maskcyclegan_vc_small" in name
    assert "run_dir" not in name
