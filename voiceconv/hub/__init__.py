"""Models on the Hugging Face hub: found, checked and fetched (`fetching`), and pushed (`pushing`).

The hub is whatever server huggingface_hub asks, which HF_ENDPOINT names. Nothing here imports
torch, and huggingface_hub, an optional package, is imported only when the hub is asked.
"""

from voiceconv.hub.fetching import USUAL, Access, fetch, pinned
from voiceconv.hub.names import HubName, hub_name
from voiceconv.hub.pushing import check_names, make_ready, model_files, upload

__all__ = [
    "USUAL",
    "Access",
    "HubName",
    "check_names",
    "fetch",
    "hub_name",
    "make_ready",
    "model_files",
    "pinned",
    "upload",
]
