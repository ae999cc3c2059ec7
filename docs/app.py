"""A page of one model, for a Space of the hub: a recording, a target, and the conversion.

pip install gradio 'voiceconv[hub]'     # the two lines of a Space's requirements.txt
python docs/app.py [MODEL]              # a directory, a bundled name, or org/name[@revision]
"""

import sys

import gradio
from numpy.typing import NDArray

from voiceconv import Converter, audio
from voiceconv.errors import InputError, RunError

LONGEST = 60.0  # seconds
converter = Converter.from_pretrained(sys.argv[1] if sys.argv[1:] else None)
targets = sorted({target for _, target in converter.directions})


def convert(recording: str | None, target: str) -> tuple[int, NDArray]:
    """The path of what was uploaded or recorded -> rate and 16-bit samples of its conversion."""
    if recording is None:
        raise gradio.Error("choose a recording, or make one")
    try:
        audio.refuse_longer(recording, LONGEST)
        wave = converter.convert(audio.read(recording, converter.sample_rate).samples, target)
    except (InputError, RunError) as error:
        raise gradio.Error(str(error)) from error
    return converter.sample_rate, (wave.clamp(-1, 1) * 32767).short().numpy()


page = gradio.Interface(
    convert,
    [gradio.Audio(type="filepath", label="recording"), gradio.Dropdown(targets, value=targets[0])],
    gradio.Audio(label="conversion"),
    title="voiceconv",
    flagging_mode="never",
)

if __name__ == "__main__":
    page.launch()
