"""`voiceconv serve` with fakes: python tests/serve/fake_server.py FOLDER PORT [--real]

A fake model streams. With --real the bundled models convert, else fake_converting does.
"""

import argparse
import sys
from pathlib import Path

from voiceconv.serve.server import serve
from voiceconv.serve.settings import Settings

HERE = Path(__file__).parent
CONVERTING = (sys.executable, str(HERE / "fake_converting.py"))
MIXED = (sys.executable, str(HERE / "fake_mixed.py"))
STREAMING = (sys.executable, str(HERE / "fake_streaming.py"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    converting = MIXED if given.real else CONVERTING
    serve(
        Settings(given.folder, n_workers=given.workers, converting=converting, streaming=STREAMING),
        port=given.port,
    )


if __name__ == "__main__":
    main()
