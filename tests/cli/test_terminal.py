"""What the terminal shows of the log."""

import logging

from voiceconv.cli.terminal import MOST, logging_to_stderr


def test_of_warnings_of_a_kind_the_first_are_shown(capsys):
    """A recorder's fault is in all of its files; that of one file among them is not lost."""
    mixed, cut = "%s: %d channels mixed down", "%s is cut"
    with logging_to_stderr():
        for number in range(3 * MOST):
            logging.getLogger("voiceconv.audio.decoders").warning(mixed, f"{number}.wav", 2)
        logging.getLogger("voiceconv.audio.decoders").warning(cut, "a.ogg")
        for number in range(2 * MOST):
            logging.getLogger("voiceconv.training").warning("step %d", number)
    shown = capsys.readouterr().err.splitlines()
    assert shown[:MOST] == [f"voiceconv: {n}.wav: 2 channels mixed down" for n in range(MOST)]
    assert shown[MOST : MOST + 2] == [
        f"voiceconv: further warnings like this one are not shown: {MOST}.wav: 2 channels mixed "
        "down",
        "voiceconv: a.ogg is cut",
    ]
    assert len(shown) == MOST + 2 + 2 * MOST  # warnings of a long run are all shown
