"""A hub on this machine, an empty cache, and a tiny model to put there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import HubServer, Repository, hub_server
from tiny_model import make_converter

from voiceconv.converter import Converter
from voiceconv.hub import make_ready


@pytest.fixture(scope="session")
def tiny() -> Converter:
    return make_converter()


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[HubServer]:
    """The hub that huggingface_hub asks; the cache is `tmp_path/cache`, the token may write."""
    huggingface_hub = pytest.importorskip("huggingface_hub")
    from huggingface_hub import constants, file_download

    with hub_server() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(file_download.time, "sleep", lambda seconds: None)
        monkeypatch.setenv("HF_TOKEN", server.token)
        yield server
        huggingface_hub.close_session()


@pytest.fixture(scope="session")
def tree(tiny, tmp_path_factory) -> dict[str, bytes]:
    """What a push of it makes of a repository: files by name."""
    folder = tmp_path_factory.mktemp("ready")
    tiny.save_pretrained(folder, {})
    make_ready(folder, "org/tiny", None)
    return {path.name: path.read_bytes() for path in folder.iterdir()} | {".gitattributes": b""}


@pytest.fixture
def pushed(hub, tree) -> str:
    """The commit of org/tiny."""
    hub.repositories["org/tiny"] = Repository()
    return hub.repositories["org/tiny"].commit(tree)


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache" / "models--org--tiny"
