"""Error rates by hand and by jiwer; recognisers, ours and anybody's."""

import sys
from pathlib import Path

import numpy as np
import pytest

from voiceconv import audio
from voiceconv.errors import InputError, RunError
from voiceconv.metrics import intelligibility
from voiceconv.metrics.intelligibility import CommandRecogniser, ErrorRates, PocketSphinx, normalise

KATHLEEN = Path(__file__).parents[3] / "shared/data/cc0_speech/kathleen"
WAVE = np.random.default_rng(0).standard_normal(4000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lord, but I'm glad to see you again, Phil", "lord but im glad to see you again phil"),
        ("  Bleek ze  klein\tte zijn joh haha! ", "bleek ze klein te zijn joh haha"),
        ("well-known (it\u2019s \u00bbso\u00ab)", "well known its so"),
        ("Straßen\u00adname \ufb01n", "strassenname fin"),
        ("ГОРОД हिन्दी 42", "город हिन्दी 42"),
        ("...", ""),
        # Apostrophes: typewriter, typographic either way, modifier letter, prime, grave, acute.
        ("it's it\u2019s it\u2018s it\u02bcs it\u2032s it`s it\u00b4s", " ".join(["its"] * 7)),
        ("\u02bbOkina Hawai\u02bbi", "okina hawaii"),
        # Invisible: soft hyphen, zero-width joiner and space, variation selector, direction mark.
        ("so\u00adft jo\u200din \u0915\u094d\u200d\u0937", "soft join \u0915\u094d\u0937"),
        ("ze\u200bro \u2600\ufe0f ma\u200erk", "zero mark"),
        # A capital dotted I is an i, composed or not; é is é, composed or not; final sigma.
        ("\u0130zmir I\u0307zmir izmir", "izmir izmir izmir"),
        ("e\u0301te\u0301 \u00e9t\u00e9", "\u00e9t\u00e9 \u00e9t\u00e9"),
        ("\u039f\u03a3 \u03bf\u03c2", "\u03bf\u03c3 \u03bf\u03c3"),
        # Scripts without spaces: where a recogniser puts some, they are none.
        ("今天 天气，很 好。", "今天天气很好"),
        ("東京 タワー です", "東京タワーです"),
        ("สวัสดี ครับ", "สวัสดีครับ"),
        ("GPS 今天 ok go", "gps今天ok go"),
        ("한국어 문장", "한국어 문장"),
    ],
)
def test_normalise(text, expected):
    assert normalise(text) == expected


def test_error_rates_by_hand():
    pytest.importorskip("jiwer")
    # "a cat sat" has 9 characters, spaces included: c -> h, " sat" gone and "ted" for nothing.
    assert ErrorRates().score("A cat sat.", "a hat") == {
        "character_error": pytest.approx(100 * 5 / 9),
        "word_error": pytest.approx(100 * 2 / 3),
        "n_characters": 9,
        "n_words": 3,
    }
    silent = ErrorRates().score("a cat sat", "")
    assert (silent["character_error"], silent["word_error"]) == (100, 100)
    inserted = ErrorRates().score("cat", "the cat sat on it")
    assert inserted["word_error"] == pytest.approx(400)


def test_a_script_without_spaces_has_no_word_error():
    """今天天气好 against 今天 天器好: one of five characters; how many words is anybody's guess."""
    pytest.importorskip("jiwer")
    assert ErrorRates().score("今天天气好。", "今天 天器好") == {
        "character_error": pytest.approx(20),
        "n_characters": 5,
    }


def test_weighted_means_are_jiwers_rates_of_all_texts():
    jiwer = pytest.importorskip("jiwer")
    said = ["her face was against his breast", "gad your letter came", "no"]
    heard = ["her face was a guest in his breath", "cat your letter came", "no no"]
    scores = [ErrorRates().score(*texts) for texts in zip(said, heard, strict=True)]
    for measure, length, rate in (
        ("character_error", "n_characters", jiwer.cer),
        ("word_error", "n_words", jiwer.wer),
    ):
        weights = [score[length] for score in scores]
        pooled = np.average([score[measure] for score in scores], weights=weights)
        assert pooled == pytest.approx(100 * rate(said, heard), abs=1e-9)


def test_a_text_without_a_word_is_refused():
    pytest.importorskip("jiwer")
    with pytest.raises(ValueError, match="the text '...' holds no word"):
        ErrorRates().score("...", "anything")


def recogniser(code: str) -> CommandRecogniser:
    return CommandRecogniser([sys.executable, "-c", f"import sys, wave\n{code}", "{}"])


def test_a_command_hears_sixteen_bits_at_16_khz_and_leaves_nothing():
    code = "f = wave.open(sys.argv[1]); s = f.readframes(9999); print(sys.argv[1]); "
    code += "print(f.getframerate(), f.getnchannels(), f.getsampwidth(), len(s), "
    code += "max(abs(int.from_bytes(s[i:i+2], 'little', signed=True)) for i in range(0, 8000, 2)))"
    path, facts = recogniser(code).transcribe(WAVE).splitlines()
    centred = WAVE - WAVE.mean()
    peak = 0.4 * np.abs(centred).max() / np.percentile(np.abs(centred), 99.9)
    assert 0.4 < peak < 1 and facts == f"16000 1 2 8000 {round(peak * 32767)}"
    assert not Path(path).exists()


def test_a_command_is_split_as_a_shell_would_but_no_shell_runs_it():
    assert CommandRecogniser("echo 'a  b'; $HOME {}").transcribe(WAVE).startswith("a  b; $HOME /")


def test_evaluate_by_a_command():
    pytest.importorskip("jiwer")
    found = intelligibility.evaluate(recogniser("print('A Hat')"), ErrorRates(), WAVE, "a cat")
    assert found["character_error"] == pytest.approx(20)
    assert found["word_error"] == pytest.approx(50)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("sys.exit('no model')", "ended with 1: no model"),
        ("sys.exit(3)", "ended with 3: it says nothing"),
    ],
)
def test_a_failing_command_says_what_it_said(code, sentence):
    with pytest.raises(RunError, match=sentence):
        recogniser(code).transcribe(WAVE)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("whisper", "is not told which file to hear; write {}"),
        ("{}", "is not told which file to hear"),
        ("whisper '{}", "cannot be read: No closing quotation"),
        ("", "is not told"),
    ],
)
def test_a_command_that_cannot_work_is_refused_at_once(command, sentence):
    with pytest.raises(InputError, match=sentence):
        CommandRecogniser(command)


def test_a_command_that_is_not_there():
    with pytest.raises(InputError, match="'/no/such/program' cannot be run"):
        CommandRecogniser("/no/such/program {}").transcribe(WAVE)


@pytest.mark.parametrize(
    ("package", "make"), [("pocketsphinx", PocketSphinx), ("jiwer", ErrorRates)]
)
def test_a_missing_package_is_named_with_its_remedy(monkeypatch, package, make):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"{package}, which .*pip install"):
        make()


def test_protocol_tells_the_recogniser():
    pytest.importorskip("jiwer")
    assert intelligibility.protocol(CommandRecogniser("echo 'a b' {}"))["recogniser"] == (
        "echo 'a b' '{}'"
    )
    pytest.importorskip("pocketsphinx")
    assert intelligibility.protocol(PocketSphinx())["model"] == "en-us"


def test_the_shortest_wave_says_nothing():
    pytest.importorskip("pocketsphinx")
    assert PocketSphinx().transcribe(WAVE[:1024]) == ""


@pytest.mark.skipif(not KATHLEEN.is_dir(), reason="needs ../shared/data/cc0_speech/kathleen")
def test_a_recording_is_understood_whatever_came_before():
    pytest.importorskip("pocketsphinx")
    texts = dict(line.split(" ", 1) for line in (KATHLEEN / "text").read_text().splitlines())
    said = "Her face was against his breast"
    name = next(name for name, text in texts.items() if text.strip() == said)
    wave = audio.read(KATHLEEN / f"{name}.flac", 16000).samples.numpy()
    hears = PocketSphinx()
    assert normalise(hears.transcribe(wave)) == normalise(said)
    # Parts of a sentence are hard to make out: whatever a decoder keeps would show.
    parts = [wave[start : start + 12000] for start in (4000, 8000, 16000)]
    forwards = [hears.transcribe(part) for part in parts]
    assert [hears.transcribe(part) for part in parts[::-1]] == forwards[::-1]
