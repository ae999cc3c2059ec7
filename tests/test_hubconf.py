"""torch.hub finds a converter in a checkout."""

from pathlib import Path

import torch

from voiceconv.converter import Converter
from voiceconv.converter.streaming import StreamingConverter

ROOT = Path(__file__).parents[1]


def test_torch_hub_opens_models_of_the_checkout():
    opened = torch.hub.load(str(ROOT), "converter", source="local")
    assert isinstance(opened, Converter) and "kathleen" in opened.domains
    live = torch.hub.load(str(ROOT), "converter", "four-voices-live", source="local")
    assert isinstance(live, StreamingConverter)
