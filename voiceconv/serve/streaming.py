"""The program that streams: `python -m voiceconv.serve.streaming`, one live stream at a time.

It gets {"open": {"model", "target", "sample_rate", "look_ahead"}} and sends {"ready"}; then each
{"push"} with samples beside it gives {"busy", "power"} with the output beside it, and {"flush"} the
rest. {"error"} says in a sentence what was wrong, after which the stream is closed.
"""

import time
from contextlib import suppress
from typing import Any

import torch

from voiceconv.errors import InputError
from voiceconv.serve import wire
from voiceconv.serve.models import Models
from voiceconv.workers import describe


def main() -> None:
    """Stream until the server ends."""
    channel = wire.opened()
    settings, _ = channel.receive()
    models = Models(settings["given"])
    torch.set_num_threads(1)
    channel.send({"waiting": True})
    stream: Any = None
    with suppress(EOFError, BrokenPipeError):
        while True:
            message, payload = channel.receive()
            try:
                if "open" in message:
                    stream = None  # the last one's memory
                    stream = _open(models, **message["open"])
                    answer, output = _ready(stream), b""
                else:
                    answer, output = _advance(stream, message, payload)
            except InputError as error:
                answer, output = {"error": str(error)}, b""
            except Exception as error:
                answer, output = {"error": f"the stream failed ({describe(error)[:200]})"}, b""
            channel.send(answer, output)


def _open(
    models: Models, model: str, target: str, sample_rate: int, look_ahead: float | None
) -> Any:
    """look_ahead: in ms, as /api/models has it."""
    converter: Any = models[model]
    seconds = {round(1000 * one): one for one in converter.look_aheads}
    if look_ahead is not None:
        look_ahead = seconds.get(round(look_ahead), look_ahead / 1000)
    return converter.stream(target, sample_rate=sample_rate, look_ahead=look_ahead)


def _ready(stream: Any) -> wire.Message:
    return {
        "ready": {
            "sample_rate": stream.output_rate,
            "latency": stream.latency,
            "parts": dict(stream.parts),
        }
    }


@torch.no_grad()
def _advance(stream: Any, message: wire.Message, payload: bytes) -> tuple[wire.Message, bytes]:
    """Push samples, or flush."""
    began = time.perf_counter()
    if "flush" in message:
        output, power = stream.flush(), 0.0
    else:
        samples = torch.frombuffer(bytearray(payload), dtype=torch.float32)
        power = float(samples.double().square().mean())
        if not power < float("inf"):
            raise InputError("a sample is NaN or infinite; send finite float32 samples")
        output = stream.push(samples)
    busy = time.perf_counter() - began
    return {"busy": busy, "power": power}, output.float().contiguous().numpy().tobytes()


if __name__ == "__main__":
    main()
