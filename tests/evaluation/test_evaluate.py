"""What `voiceconv evaluate` writes: values, stamps, and that only the recordings decide them."""

import json

import numpy as np
import pytest
import torch
from tiny_model import make_cli

from voiceconv import audio
from voiceconv.errors import InputError
from voiceconv.evaluation import voices
from voiceconv.evaluation.evaluate import Given, evaluate_folder
from voiceconv.evaluation.protocol import parse
from voiceconv.evaluation.scores import as_lines
from voiceconv.metrics import MEASURES

MCD = ["mel_cepstral_distortion"]
LEVEL = ["loudness", "peak", "clipped", "silence"]


def write(path, pitch=120.0, seconds=0.3, level=0.2, rate=16000):
    """A buzz of six harmonics over noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t = torch.arange(int(rate * seconds)) / rate
    wave = sum(0.7**k * torch.cos(2 * torch.pi * k * pitch * t) for k in range(1, 7))
    noise = torch.randn(len(t), generator=torch.Generator().manual_seed(0))
    audio.write(path, level * wave + 0.01 * noise, rate)


def but_for_the_date(scores):
    return {key: value for key, value in scores.items() if key != "date"}


def test_identical_folders_score_zero(tmp_path):
    for stem in ("1", "2"):
        write(tmp_path / f"converted/{stem}.wav", 100 + 20 * int(stem))
        write(tmp_path / f"reference/{stem}.flac", 100 + 20 * int(stem))
    given = Given(tmp_path / "converted", tmp_path / "reference")
    scores = evaluate_folder(given, [*MCD, "duration_ratio"])
    assert scores["utterances"] == {
        stem: {
            "file": f"{stem}.wav",
            "sample_rate": 16000,
            "bandwidth": 8000,
            "reference_sample_rate": 16000,
            "reference_bandwidth": 8000,
            "mel_cepstral_distortion": pytest.approx(0, abs=0.05),
            "duration_ratio": 1.0,
        }
        for stem in ("1", "2")
    }
    assert scores["metrics"]["mel_cepstral_distortion"]["n"] == 2
    assert scores["metrics"]["mel_cepstral_distortion"]["better"] == "lower"
    assert set(scores["not_run"]) == set(MEASURES) - {*MCD, "duration_ratio"}
    assert set(scores["not_run"].values()) == {"not asked for"}
    assert scores["inputs"]["reference"] == str(tmp_path / "reference")
    assert json.loads(json.dumps(scores, allow_nan=False)) == json.loads(json.dumps(scores))


def test_data_directory_of_two_domains_with_segments(tmp_path):
    """Either side may be a data directory, whose segments are cut: as the source's own row is."""
    for name, pitch in (("a", 100), ("b", 150)):
        write(tmp_path / f"wav/{name}.wav", pitch, seconds=0.6)
    data = tmp_path / "data"
    data.mkdir()
    (data / "wav.scp").write_text(f"a {tmp_path}/wav/a.wav\nb {tmp_path}/wav/b.wav\n")
    (data / "segments").write_text("a-x_1 a 0.1 0.4\nb-x_1 b 0.2 0.5\n")
    (data / "utt2spk").write_text("a-x_1 a\nb-x_1 b\n")

    def own(source, target):
        scores = evaluate_folder(Given(data, data, source=source, target=target), MCD)
        assert scores["utterances"]["x_1"]["file"].endswith(f"wav/{source}.wav")
        return scores["utterances"]["x_1"]["mel_cepstral_distortion"]

    assert own("b", "b") == 0.0
    assert own("a", "b") > 1
    write(tmp_path / "converted/a-x_1.wav", 150, seconds=0.3)
    scores = evaluate_folder(Given(tmp_path / "converted", data, target="b"), ["duration_ratio"])
    assert scores["utterances"]["x_1"]["duration_ratio"] == 1.0  # 0.3 s of 0.6
    with pytest.raises(InputError, match="holds a, b; choose one with --target"):
        evaluate_folder(Given(tmp_path / "converted", data))
    with pytest.raises(InputError, match="holds a, b; choose one with --domain"):
        evaluate_folder(Given(data, data, target="a"))
    with pytest.raises(InputError, match="no 'c' in .*, which holds a, b"):
        evaluate_folder(Given(tmp_path / "converted", data, target="c"))


def test_what_lacks_its_input_is_not_run(tmp_path):
    write(tmp_path / "converted/1.wav")
    scores = evaluate_folder(Given([tmp_path / "converted/1.wav"]), [*MEASURES][:16])
    assert list(scores["metrics"]) == [n for n in scores["metrics"] if n.startswith("dnsmos")]
    assert "--reference" in scores["not_run"]["mel_cepstral_distortion"]
    assert "--target-train" in scores["not_run"]["speaker_similarity"]
    assert "--source-train" in scores["not_run"]["source_similarity"]
    assert "--text" in scores["not_run"]["word_error"]
    said = as_lines(scores).splitlines()
    assert "not run: character_error, word_error (no transcripts (--text))" in said


def test_a_missing_package_is_a_reason_not_an_end(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "resemblyzer", None)
    write(tmp_path / "1.wav")
    files = [tmp_path / "1.wav"]
    asked = [*MCD, "speaker_similarity", "f0_mean_difference"]
    scores = evaluate_folder(Given(files, files, files), asked)
    assert list(scores["metrics"]) == [*MCD, "f0_mean_difference"]
    assert scores["utterances"]["1"]["f0_mean_difference"] == 0.0
    assert "pip install" in scores["not_run"]["speaker_similarity"]
    assert "speaker_similarity" not in scores["protocol"]


@pytest.mark.parametrize(
    ("package", "recogniser"),
    [("pocketsphinx", "pocketsphinx"), ("pocketsphinx", None), ("jiwer", "echo {}")],
)
def test_a_missing_package_is_named_whichever_recogniser_is_asked_for(
    tmp_path, monkeypatch, package, recogniser
):
    """Recipes name theirs: --recogniser pocketsphinx."""
    monkeypatch.setitem(__import__("sys").modules, package, None)
    write(tmp_path / "1.wav")
    (tmp_path / "text").write_text("1 a b\n")
    given = Given([tmp_path / "1.wav"], text=tmp_path / "text")
    scores = evaluate_folder(given, ["word_error", "peak"], recogniser=recogniser)
    assert list(scores["metrics"]) == ["peak"]
    assert f"{package}, which cannot be imported" in scores["not_run"]["word_error"]


@pytest.mark.parametrize("who", ["target_train", "source_train"])
def test_a_voice_without_f0_is_no_end(tmp_path, monkeypatch, who):
    """Of a target that whispers nothing is too high or too low; a source's F0 is not asked for."""
    write(tmp_path / "1.wav")
    noise = torch.randn(8000, generator=torch.Generator().manual_seed(1))
    audio.write(tmp_path / "whisper.wav", 0.1 * noise, 16000)
    trains = {need: [tmp_path / "1.wav"] for need in ("target_train", "source_train")}
    given = Given([tmp_path / "1.wav"], **trains | {who: [tmp_path / "whisper.wav"]})
    direction = np.array([0.6, 0.8])
    monkeypatch.setattr("voiceconv.evaluation.measuring.Measurer.embedding", lambda *_: direction)
    scores = evaluate_folder(given, ["source_similarity", "f0_mean_difference"])
    assert scores["metrics"]["source_similarity"]["mean"] == pytest.approx(1.0)
    if who == "target_train":
        assert scores["not_run"]["f0_mean_difference"] == (
            "no utterance has a value: undefined for this recording"
        )
    else:
        assert scores["utterances"]["1"]["f0_mean_difference"] == pytest.approx(0.0)


def test_level_is_taken_at_the_files_own_rate(tmp_path):
    """A square wave at 24 kHz whose every sample is clipped; resampled, none would be."""
    wave = torch.ones(12000)
    wave[::2] = -1
    audio.write(tmp_path / "1.wav", wave, 24000)
    scores = evaluate_folder(Given([tmp_path / "1.wav"]), ["clipped", "peak"])
    assert scores["utterances"]["1"]["clipped"] == 100.0


def test_an_utterance_without_transcript_counts_in_the_other_measures(tmp_path):
    data = tmp_path / "data"
    for stem in ("1", "2"):
        write(tmp_path / f"wav/{stem}.wav")
    data.mkdir()
    (data / "wav.scp").write_text("".join(f"a-{n} {tmp_path}/wav/{n}.wav\n" for n in "12"))
    (data / "utt2spk").write_text("a-1 a\na-2 a\n")
    (data / "text").write_text("a-1 one two\n")
    heard = tmp_path / "heard"
    heard.write_text("#!/bin/sh\necho one three\n")
    heard.chmod(0o755)
    given = Given(data, text=data)
    scores = evaluate_folder(given, ["word_error", "peak"], recogniser=f"{heard} {{}}")
    assert {name: one["n"] for name, one in scores["metrics"].items()} == {
        "word_error": 1,
        "peak": 2,
    }
    assert scores["metrics"]["word_error"]["mean"] == 50.0


def test_error_rates_are_pooled(tmp_path):
    """2 of 2 and 1 of 8 words wrong are 3 of 10, not the mean of 100% and 12.5%."""
    for stem in ("1", "2"):
        write(tmp_path / f"converted/{stem}.wav")
    (tmp_path / "text").write_text("1 a b\n2 one two three four five six seven eight\n")
    heard = tmp_path / "heard"
    heard.write_text("#!/bin/sh\necho one two three four five six seven nine\n")
    heard.chmod(0o755)
    scores = evaluate_folder(
        Given(tmp_path / "converted", text=tmp_path / "text"),
        ["word_error"],
        recogniser=f"{heard} {{}}",
    )
    assert scores["utterances"]["1"]["word_error"] == pytest.approx(400)  # 2 replaced, 6 inserted
    assert scores["utterances"]["1"]["n_words"] == 2
    assert scores["metrics"]["word_error"]["mean"] == pytest.approx(100 * (8 + 1) / 10)
    assert scores["protocol"]["word_error"]["recogniser"] == f"{heard} '{{}}'"
    with pytest.raises(InputError, match=r"write \{\} where its path belongs"):
        evaluate_folder(
            Given(tmp_path / "converted", text=tmp_path / "text"), ["word_error"], None, "echo"
        )
    (tmp_path / "text").write_text("1 a b\n")
    with pytest.raises(
        InputError, match=r"2\.wav has no counterpart in .*text; add its transcript"
    ):
        evaluate_folder(Given(tmp_path / "converted", text=tmp_path / "text"), ["word_error"])


def test_an_output_that_cannot_be_is_refused_before_the_work(tmp_path, monkeypatch, capsys):
    """Before anything is looked at: there is no folder of conversions either."""
    voiceconv = make_cli(monkeypatch, capsys)
    (tmp_path / "file").write_text("")
    said = voiceconv("evaluate", tmp_path / "nowhere", "-o", tmp_path)
    assert (said.code, said.err) == (
        2,
        f"voiceconv: error: cannot write {tmp_path}: it is a folder; name a file in it\n",
    )
    said = voiceconv("evaluate", tmp_path / "nowhere", "-o", tmp_path / "file/scores.json")
    assert said.code == 2 and "file/scores.json: " in said.err and "choose another" in said.err
    assert (tmp_path / "file").read_text() == ""


def test_a_copy_of_itself_has_no_distance(tmp_path):
    write(tmp_path / "converted/a-1.wav", seconds=1)
    write(tmp_path / "original/1.wav", seconds=1)
    given = Given(tmp_path / "converted", copy_of=tmp_path / "original")
    scores = evaluate_folder(given, ["stft_distance"])
    assert scores["utterances"]["1"]["stft_distance"] == pytest.approx(0, abs=1e-9)


def test_copies_of_several_domains_go_by_the_whole_name(tmp_path):
    """Two domains say sentence 1; each copy meets its own original, and so does a directory."""
    data = tmp_path / "data"
    for name, pitch in (("a", 100), ("b", 150)):
        write(tmp_path / f"wav/{name}.wav", pitch, seconds=1)
        write(tmp_path / f"copies/{name}-1.wav", 1.01 * pitch, seconds=1)
    data.mkdir()
    (data / "wav.scp").write_text(f"a-1 {tmp_path}/wav/a.wav\nb-1 {tmp_path}/wav/b.wav\n")
    (data / "utt2spk").write_text("a-1 a\nb-1 b\n")
    names = ["stft_distance", "f0_error"]
    copies = evaluate_folder(Given(tmp_path / "copies", copy_of=data), names)
    own = evaluate_folder(Given(data, copy_of=data), names)
    for name in ("a-1", "b-1"):  # 17 cents of itself, 700 of the other
        assert 15 < copies["utterances"][name]["f0_error"] < 60
        assert own["utterances"][name]["stft_distance"] == pytest.approx(0, abs=1e-9)
    assert own["utterances"].keys() == copies["utterances"].keys() == {"a-1", "b-1"}
    write(tmp_path / "copies/1.wav", seconds=1)
    with pytest.raises(InputError, match="copies/1.wav has no counterpart"):
        evaluate_folder(Given(tmp_path / "copies", copy_of=data), names)
    (tmp_path / "copies/1.wav").unlink()
    (tmp_path / "copies/b-1.wav").unlink()
    one = evaluate_folder(Given(tmp_path / "copies", copy_of=data, source="a"), names)
    assert list(one["utterances"]) == ["1"]


@pytest.mark.slow
def test_neither_jobs_nor_order_nor_kept_voices_change_a_figure(tmp_path, monkeypatch):
    monkeypatch.setattr("voiceconv.evaluation.protocol.commit", lambda: "abc")
    for number in range(4):
        write(tmp_path / f"converted/{number}.wav", 100 + 9 * number, 0.4, rate=24000)
        write(tmp_path / f"reference/{number}.wav", 110 + 9 * number, 0.5, rate=24000)
    folder, reference = tmp_path / "converted", tmp_path / "reference"
    names = [*MCD, "log_f0_rmse", "speaker_similarity", "f0_spread_ratio", *LEVEL]
    given = Given(folder, reference, reference)
    first = evaluate_folder(given, names)
    parallel = evaluate_folder(given, names[::-1], jobs=2, voices=tmp_path / "voices")
    assert but_for_the_date(parallel) == but_for_the_date(first)
    kept = evaluate_folder(given, names, voices=tmp_path / "voices")
    assert but_for_the_date(kept) == but_for_the_date(first)
    assert len(list((tmp_path / "voices").iterdir())) == 1
    backwards = [sorted(one.iterdir())[::-1] for one in (folder, reference)]
    shuffled = evaluate_folder(Given(backwards[0], backwards[1], backwards[1]), names)
    for key in ("protocol", "metrics"):
        assert shuffled[key] == first[key]


def test_a_kept_voice_is_of_one_protocol_and_one_set_of_recordings(tmp_path, monkeypatch):
    write(tmp_path / "1.wav", 100, rate=24000)
    write(tmp_path / "train/2.wav", 120, rate=24000)
    made = []
    of_all = voices.voice_of
    monkeypatch.setattr(
        "voiceconv.evaluation.evaluate.voice_of", lambda found: made.append(1) or of_all(found)
    )

    def difference(*settings):
        given = Given([tmp_path / "1.wav"], target_train=tmp_path / "train")
        scores = evaluate_folder(
            given, ["f0_mean_difference"], parse(settings), voices=tmp_path / "voices"
        )
        return scores["utterances"]["1"]["f0_mean_difference"]

    first = difference()
    assert first == pytest.approx(-1200 * 0.2630, abs=10)  # log2(100 / 120); dio on 0.3 s
    assert difference() == first and len(made) == 1
    difference("resampler=soxr_lq")
    assert len(made) == 2
    for kept in (tmp_path / "voices").iterdir():
        kept.write_text("{")
    assert difference() == first and len(made) == 3  # a damaged one is made again
    write(tmp_path / "train/2.wav", 150, rate=24000)
    assert difference() == pytest.approx(-1200 * 0.5850, abs=10) and len(made) == 4


def test_hidden_files_and_folders_named_like_sound_are_no_recordings(tmp_path):
    """What an interrupted writer leaves, and what file managers do, is as `convert` takes it."""
    write(tmp_path / "converted/1.wav")
    write(tmp_path / "converted/.1.0a1b2c3d.wav", level=0.1)
    write(tmp_path / "converted/.Trash/2.wav")
    write(tmp_path / "converted/more.wav/3.flac")
    scores = evaluate_folder(Given(tmp_path / "converted"), ["peak"])
    assert list(scores["utterances"]) == ["1", "3"]


def test_refusals(tmp_path):
    write(tmp_path / "converted/9.wav")
    write(tmp_path / "reference/1.wav")
    with pytest.raises(InputError, match=r"9\.wav has no counterpart in .*reference"):
        evaluate_folder(Given(tmp_path / "converted", tmp_path / "reference"))
    write(tmp_path / "converted/8.wav")
    with pytest.raises(InputError, match=r"8\.wav, .*9\.wav have no counterpart in .*reference"):
        evaluate_folder(Given(tmp_path / "converted", tmp_path / "reference"))
    with pytest.raises(InputError, match="there is no folder"):
        evaluate_folder(Given(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no sound file in"):
        evaluate_folder(Given(tmp_path / "empty"))
    with pytest.raises(InputError, match="no metric 'mos'; choose from mel_cepstral_distortion"):
        evaluate_folder(Given(tmp_path / "converted"), ["mos"])
    write(tmp_path / "reference/a/1.wav")
    with pytest.raises(InputError, match="two recordings of '1'"):
        evaluate_folder(Given(tmp_path / "converted", tmp_path / "reference"))


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("mcd.order=many", "--set mcd.order=many: give a whole number, not 'many'"),
        ("mcd.order=0", "order 0 of the mel-cepstrum"),
        ("mcd.with_c0=perhaps", "give true or false"),
        ("mcd.silence=quiet", "silence 'quiet' of the protocol; give loud, voiced, none"),
        ("resampler=sinc", "resampler 'sinc'; give soxr_vhq, soxr_hq"),
        ("peak=1", "no such setting; known are resampler, mcd.order, mcd.alpha, mcd.with_c0"),
        ("mcd.order", "give a whole number, not ''"),
    ],
)
def test_a_wrong_setting_is_named(setting, sentence):
    with pytest.raises(InputError) as raised:
        parse([setting])
    assert sentence in str(raised.value)


def test_settings_become_a_protocol():
    protocol = parse(["mcd.order=34", "mcd.with_c0=true", "resampler=soxr_lq", "mcd.f0=harvest"])
    assert (protocol.mcd.order, protocol.mcd.with_c0, protocol.mcd.f0) == (34, True, "harvest")
    assert protocol.quality == "LQ" and parse([]).quality == "VHQ"


def test_the_resampler_reaches_the_samples(tmp_path):
    """A tone of 7.6 kHz: the lowest quality lets less of it pass."""
    t = torch.arange(24000) / 24000
    audio.write(tmp_path / "1.wav", 0.5 * torch.sin(2 * torch.pi * 7600 * t), 24000)
    write(tmp_path / "r/1.wav", seconds=1)

    def mcd(quality):
        given = Given([tmp_path / "1.wav"], tmp_path / "r")
        scores = evaluate_folder(given, MCD, parse([f"resampler={quality}"]))
        return scores["utterances"]["1"]["mel_cepstral_distortion"]

    assert mcd("soxr_vhq") != mcd("soxr_qq")


def test_music_is_measured_where_it_is_asked_for(tmp_path):
    """Two instruments, of which the target's is the brighter; none of these by default."""
    for role in ("source", "target"):
        (tmp_path / role).mkdir()
    for stem in range(3):
        for role, level in (("source", 0.1), ("target", 0.9)):
            t = torch.arange(16000) / 16000
            notes = torch.exp(-8 * (t % 0.25)) * (t % 0.25 * 200).clamp(max=1)
            tone = sum(
                level**k * torch.cos(2 * torch.pi * k * (200 + 20 * stem) * t) for k in range(1, 9)
            )
            audio.write(tmp_path / f"{role}/{stem}.wav", 0.1 * notes * tone, 16000)
    given = Given(
        tmp_path / "target", tmp_path / "target", tmp_path / "target", tmp_path / "source",
        copy_of=tmp_path / "source",
    )  # fmt: skip
    names = ["chroma_similarity", "onset_f", "mel_distance", "instrument"]
    scores = evaluate_folder(given, names, voices=tmp_path / "voices")
    found = {name: scores["metrics"][name]["mean"] for name in names}
    assert found["chroma_similarity"] > 0.8 and found["onset_f"] == 100
    assert found["mel_distance"] == pytest.approx(0, abs=1e-3) and found["instrument"] == 100
    assert evaluate_folder(given, names, voices=tmp_path / "voices")["metrics"] == scores["metrics"]
    assert scores["protocol"]["onset_f"]["window"] == 0.05
    unconverted = given._replace(converted=tmp_path / "source")
    assert evaluate_folder(unconverted, ["instrument"])["metrics"]["instrument"]["mean"] == 0
    plain = evaluate_folder(given, ["peak"])
    assert plain["not_run"]["instrument"] == "not asked for"
