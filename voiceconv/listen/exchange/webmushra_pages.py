"""The pages of a test in webMUSHRA's configuration.

Facts from webMUSHRA's doc/experimenter.md ("Configuring an Experiment"), its example
configurations and its lib/webmushra; its licence is not open, and nothing of it is copied:

- A `mushra` page adds the hidden reference itself and draws the order of its conditions. Reference
  and conditions must be equally long, or the experiment stops (lib/webmushra/misc/
  MushraValidator.js); `strict` refuses more than 12 conditions, and references above 12 seconds.
- A `paired_comparison` page plays its reference openly and asks which of A and B it is: that is
  ABX, X being the reference. It stops at the end of the shorter of the two, and cannot have
  another reference.
- No page asks for a preference, and none shows a reference beside a scale of words. So AB and
  similarity are `likert_single_stimulus` pages of one file that has both recordings, one after the
  other, half a second apart, as ITU-T P.800 annexes D and E present pairs: both are heard to the
  end, at the chosen volume (which an <audio> element in `content` would ignore).
- Browsers resample files to the rate of the audio device, so any sample rate works.
- Sessions are sent unescaped (lib/webmushra/business/DataSender.js): one "&" in a text loses all
  its answers. So there is no text field.
- Only mushra.csv has a column for the session. The others get one from a question that the last
  page hides and answers; so does the participant, whom a crowd platform names in the address.

Ids have a letter in front, because 12 hexadecimal digits can look like a number.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, NamedTuple

from voiceconv.listen.manifest import ATTENTION, REFERENCE, TRAINING, Test, Trial, Turn

HIDDEN = "reference"  # webMUSHRA's name for the hidden reference
SESSION = "session_uuid"  # its column, and our question if there is none
PARTICIPANT = "participant_id"  # likewise our question
PAUSE = 0.5  # seconds between the two of a pair
MOST_CONDITIONS, MOST_SECONDS = 12, 12.0  # most conditions of a strict mushra page

_LABELS: Mapping[str, Mapping[Any, str]] = {
    "mos": {5: "Excellent", 4: "Good", 3: "Fair", 2: "Poor", 1: "Bad"},
    "similarity": {
        4: "Same, absolutely sure",
        3: "Same, not sure",
        2: "Different, not sure",
        1: "Different, absolutely sure",
    },
}
_QUESTIONS = {
    "mos": "How do you rate the quality of this speech?",
    "similarity": "Is it the same speaker?",
    "ab": "Which of the two do you prefer?",
    "abx": "One of A and B is the reference.",
    "mushra": "How good is each recording, compared with the reference? One of them is the "
    "reference itself, and should get 100.",
}
# For a page with one player: (rated recordings, all recordings) -> instruction.
_PLAYED = {
    (1, 1): "",
    (1, 2): "You hear a reference, and then the recording to be judged.",
    (2, 2): "You hear two recordings, one after the other.",
    (2, 3): "You hear a reference, and then two recordings.",
}
_ABOUT_CHECKS = {
    "mos": "Where beeps interrupt a recording, count them, and answer with their number: "
    "Bad for one, Excellent for five.",
    "similarity": "Where beeps interrupt a recording, count them, and answer with their number: "
    "“Different, absolutely sure” for one, “Same, absolutely sure” for four.",
    "ab": "Where beeps interrupt one of the two, choose that one.",
}
_CONSENT = (
    "You are asked to judge recordings. Your answers are stored without your name. "
    "You may stop at any time by closing the page: then nothing is stored."
)
# Runs when the page is shown. The elements are made later, hence the delay. An "&" cannot get in.
_NAMED = r"/[?&](?:id|PROLIFIC_PID|workerId)=([\w-]{1,64})/i"
_FILL = (
    f"<script>setTimeout(function () {{ $('#{SESSION}').val(session.uuid); $('#{PARTICIPANT}').val("
    f"(location.search.match({_NAMED}) || [])[1] || '').closest('table').hide(); }}, 0);</script>"
)


class Sound(NamedTuple):
    """A file of the export: concatenated stimuli, padded to the longest of `beside`."""

    path: str
    stimuli: tuple[str, ...]
    beside: tuple[str, ...] = ()


def test_name(test: Test) -> str:
    """The `testId`: also the folder of results, and the prefix of our file names."""
    return f"test-{test.id}"


def trial_key(trial: str) -> str:
    """A trial's id for webMUSHRA."""
    return f"t{trial}"


def stimulus_key(stimulus: str) -> str:
    """A stimulus's id for webMUSHRA."""
    return f"s{stimulus}"


def hidden_reference(test: Test, trial: Trial) -> str | None:
    """The stimulus of a MUSHRA trial that webMUSHRA replaces by its own hidden reference."""
    return next((s for s in trial.shown if test.system_of(s).role == REFERENCE), None)


def pair_of(test: Test, trial: Trial) -> tuple[str, str]:
    """The stimulus of an ABX trial that is X, and the other one."""
    assert trial.x is not None
    of_x = {s for s in trial.shown if test.stimuli[s].system == test.stimuli[trial.x].system}
    (right,) = trial.expected or of_x  # both of a check are from one system
    (other,) = set(trial.shown) - {right}
    return right, other


def configuration(test: Test, list_number: int) -> tuple[dict[str, Any], list[Sound]]:
    """One list's configuration, and the files that it names."""
    sounds = [Sound(_path(test, "level"), (test.level,))]
    pages = list(_before(test, sounds[0].path))
    turns = test.lists[list_number]
    n_trials = sum(test.trials[turn.trial].kind != TRAINING for turn in turns)
    number = 0
    for turn in turns:
        practice = test.trials[turn.trial].kind == TRAINING
        number += not practice
        page, needed = _page(test, turn)
        page["name"] = "Practice" if practice else f"{number} of {n_trials}"
        pages.append(page)
        sounds += needed
    pages.append(_finish(test))
    return {
        "testname": test.title,
        "testId": test_name(test),
        "bufferSize": 2048,
        "stopOnErrors": True,
        "showButtonPreviousPage": False,
        "remoteService": "service/write.php",
        "pages": pages,
    }, sounds


def _before(test: Test, level: str) -> Iterator[dict[str, Any]]:
    """Consent, instructions, volume."""
    kinds = {trial.kind for trial in test.trials.values()}
    said = [_question(test)]
    if ATTENTION in kinds and test.method_name in _ABOUT_CHECKS:
        said.append(_ABOUT_CHECKS[test.method_name])
    if TRAINING in kinds:
        said.append("The test begins with practice, which doesn't count.")
    yield {
        "type": "consent",
        "id": "consent",
        "name": "Welcome",
        "mustConsent": True,
        "content": f"<p>{_CONSENT}</p>",
    }
    yield {
        "type": "generic",
        "id": "instructions",
        "name": "Instructions",
        "content": "".join(f"<p>{sentence}</p>" for sentence in said),
    }
    yield {
        "type": "volume",
        "id": "volume",
        "name": "Volume",
        "content": "Play this, and set a comfortable volume. Please leave it as it is afterwards.",
        "stimulus": level,
        "defaultVolume": 0.5,
    }


def _page(test: Test, turn: Turn) -> tuple[dict[str, Any], list[Sound]]:
    trial = test.trials[turn.trial]
    page: dict[str, Any] = {"type": "", "id": trial_key(trial.id), "name": ""}
    page["content"] = _question(test)
    if test.method.together:
        return _mushra(test, trial, turn, page)
    if trial.x is not None:
        return _abx(test, trial, page)
    return _likert(test, trial, turn, page)


def _mushra(
    test: Test, trial: Trial, turn: Turn, page: dict[str, Any]
) -> tuple[dict[str, Any], list[Sound]]:
    assert trial.reference is not None
    shown = [stimulus for stimulus in turn.order if stimulus != hidden_reference(test, trial)]
    sounds = _equally_long(test, trial, [trial.reference, *shown])
    fits = test.stimuli[trial.reference].seconds <= MOST_SECONDS and len(shown) <= MOST_CONDITIONS
    page |= {
        "type": "mushra",
        "showWaveform": True,
        "enableLooping": True,
        "strict": fits,
        "reference": sounds[0].path,
        "createAnchor35": False,  # the test has its own, at the loudness of all others
        "createAnchor70": False,
        "randomize": True,
        "showConditionNames": False,
        "stimuli": _files(sounds[1:]),
    }
    return page, sounds


def _abx(test: Test, trial: Trial, page: dict[str, Any]) -> tuple[dict[str, Any], list[Sound]]:
    assert trial.x is not None
    _, other = pair_of(test, trial)
    sounds = _equally_long(test, trial, [trial.x, other])
    page |= {
        "type": "paired_comparison",
        "showWaveform": False,
        "enableLooping": True,
        "reference": sounds[0].path,
        "stimuli": _files(sounds[1:]),
    }
    return page, sounds


def _likert(
    test: Test, trial: Trial, turn: Turn, page: dict[str, Any]
) -> tuple[dict[str, Any], list[Sound]]:
    played = turn.order if trial.reference is None else (trial.reference, *turn.order)
    key, labels = stimulus_key(trial.shown[0]), _LABELS.get(test.method_name, {})
    if test.method.is_choice:
        first, second = (stimulus_key(stimulus) for stimulus in turn.order)
        key, labels = page["id"], {first: "The first of the two", second: "The second of the two"}
    page["content"] = f"{_PLAYED[len(turn.order), len(played)]} {page['content']}".strip()
    name = "-".join(stimulus_key(stimulus) for stimulus in played)
    sound = Sound(_path(test, page["id"], name), played)
    page |= {
        "type": "likert_single_stimulus",
        "showWaveform": False,
        "mustRate": True,
        "mustPlayback": "ended",
        "stimuli": {key: sound.path},
        "response": [{"value": value, "label": label} for value, label in labels.items()],
    }
    return page, [sound]


def _finish(test: Test) -> dict[str, Any]:
    hidden = [("Participant", PARTICIPANT)]
    if not test.method.together:
        hidden.insert(0, ("Session", SESSION))
    return {
        "type": "finish",
        "name": "Thank you",
        "content": f"<p>That was the last recording. Please send your answers.</p>{_FILL}",
        "popupContent": "Your answers were sent. You may close this page.",
        "showResults": False,  # they would show which one is the reference
        "writeResults": True,
        "questionnaire": [
            {"type": "text", "label": label, "name": name, "optional": True}
            for label, name in hidden
        ],
    }


def _question(test: Test) -> str:
    return escape(test.question) if test.question else _QUESTIONS[test.method_name]


def _path(test: Test, *names: str) -> str:
    """The path below webMUSHRA's root, for its configurations."""
    return "/".join(["configs/resources", test_name(test), *names]) + ".wav"


def _equally_long(test: Test, trial: Trial, stimuli: list[str]) -> list[Sound]:
    folder = trial_key(trial.id)
    return [
        Sound(_path(test, folder, stimulus_key(one)), (one,), tuple(stimuli)) for one in stimuli
    ]


def _files(sounds: list[Sound]) -> dict[str, str]:
    return {stimulus_key(sound.stimuli[0]): sound.path for sound in sounds}
