"""The program that converts with the bundled models, and says that the first of them streams."""

from fake_converting import MODELS

from voiceconv.serve import converting


class MixedModels(converting.Models):
    def described(self):
        first, *others = super().described()
        live = {name: MODELS[0][name] for name in ("streams", "look_aheads", "latency")}
        return [first | live, *others]


if __name__ == "__main__":
    converting.Models = MixedModels  # type: ignore[misc]
    converting.main()
