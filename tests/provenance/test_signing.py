"""C2PA manifests: valid, of nobody known, and invalid when a byte of the sound is another."""

import pytest
import torch
from certificate_chain import write_chain

from voiceconv import audio
from voiceconv.errors import InputError
from voiceconv.provenance.note import CONVERTED
from voiceconv.provenance.signing import BY_MODEL, BY_RULE, Signer, read_manifest
from voiceconv.provenance.stamp import Marks, Stamp

pytest.importorskip("c2pa", reason="the extra c2pa is not installed")
WAVE = 0.1 * torch.sin(torch.arange(24_000.0))


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return write_chain(tmp_path_factory.mktemp("chain"))


@pytest.mark.parametrize("extension", [".wav", ".flac", ".mp3"])
def test_a_manifest_holds_until_a_byte_of_the_sound_changes(tmp_path, chain, extension):
    path = tmp_path / f"a{extension}"
    facts = {"model": "m", "sha256": "ab" * 32, "target": "B"}
    Stamp(CONVERTED, facts, Marks(False, False, *chain)).write(path, WAVE, 24_000)
    found = read_manifest(path)
    assert (found.state, found.signer, found.source_type) == ("Valid", "Test", BY_MODEL)
    assert found.failures == ("signingCredential.untrusted",)
    assert found.generator.startswith("voiceconv ")
    assert found.note.items() >= facts.items()
    assert len(audio.read(path).samples) >= len(WAVE)
    assert len(audio.read_comments(path)) == 1
    data = bytearray(path.read_bytes())
    data[data.index(b"data") + 5000 if extension == ".wav" else -200] ^= 1  # of the sound
    path.write_bytes(data)
    tampered = read_manifest(path)
    assert tampered.state == "Invalid" and "assertion.dataHash.mismatch" in tampered.failures


def test_what_no_network_made_has_another_source_type(tmp_path, chain):
    facts = {"model": "baseline:f0shift", "sha256": None}
    Stamp(CONVERTED, facts, Marks(False, False, *chain)).write(tmp_path / "a.wav", WAVE, 24_000)
    assert read_manifest(tmp_path / "a.wav").source_type == BY_RULE


def test_a_file_without_a_manifest_has_none(tmp_path):
    for name in ("a.wav", "a.ogg"):
        audio.write(tmp_path / name, WAVE, 24_000)
        assert read_manifest(tmp_path / name) is None
    (tmp_path / "a.txt").write_text("text")
    assert read_manifest(tmp_path / "a.txt") is None


def test_files_that_cannot_sign_are_refused_in_a_sentence(tmp_path, chain):
    certificates, key = chain
    other = tmp_path / "other"
    other.mkdir()
    _, foreign = write_chain(other)
    with pytest.raises(InputError, match=r"chain\.pem and .*other/key\.pem cannot sign \("):
        Signer(certificates, foreign)
    with pytest.raises(InputError, match="is no private key that can be read"):
        Signer(certificates, certificates)
    with pytest.raises(InputError, match="cannot read .*gone.pem: No such file"):
        Signer(tmp_path / "gone.pem", key)
