"""The models that a server's programs open."""

from tiny_model import make_converter

from voiceconv.converter.directory import digest
from voiceconv.serve.models import Models


def test_a_model_of_a_relative_path_is_known_in_a_jobs_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_converter().save_pretrained("tiny", {"consent": "all agreed"})
    models = Models(["tiny"])
    assert models.described()[0]["consent"] == "all agreed"
    (tmp_path / "job").mkdir()
    monkeypatch.chdir(tmp_path / "job")
    stamp = models.stamp("tiny", target="high")
    assert stamp._facts == {"model": "tiny", "sha256": digest(tmp_path / "tiny"), "target": "high"}
