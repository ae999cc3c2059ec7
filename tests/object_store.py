"""An S3 of this machine (moto), and what is asked of it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import fsspec
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

BUCKET = "corpora"


class Request(NamedTuple):
    """What a client asks: `get_object`, `corpora/dump/train/feats.0.ark`, `bytes=0-8388607`."""

    method: str
    key: str
    range: str


class ObjectStore(NamedTuple):
    """A client of the store, and its requests: all that came, in order."""

    client: S3FileSystem
    requests: list[Request]

    def read(self) -> list[str]:
        """The files that were read, without their folders' names; forgets them."""
        keys = [one.key for one in self.requests if one.method == "get_object"]
        self.requests.clear()
        return sorted(key.rpartition("/")[2] for key in keys)


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A server with an empty bucket, which s3:// means as long as the context lasts."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    requests: list[Request] = []
    call = S3FileSystem._call_s3

    async def noted(self: S3FileSystem, method: str, *given: object, **named: object) -> object:
        of = {key: str(value) for one in (*given, named) if isinstance(one, dict)
              for key, value in one.items()}  # fmt: skip
        key = f"{of.get('Bucket', '')}/{of.get('Key', '')}"
        requests.append(Request(method, key, of.get("Range", "")))
        return await call(self, method, *given, **named)

    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                patch.setenv(name, "testing")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            patch.setitem(fsspec.config.conf, "s3", {"endpoint_url": f"http://{host}:{port}"})
            patch.setattr(S3FileSystem, "_call_s3", noted)
            S3FileSystem.clear_instance_cache()
            client = S3FileSystem()
            client.mkdir(BUCKET)
            yield ObjectStore(client, requests)
    finally:
        S3FileSystem.clear_instance_cache()
        server.stop()
