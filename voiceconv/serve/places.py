"""The programs that stream: one for each live stream, and a bound on their number."""

from voiceconv.serve.child import Child
from voiceconv.serve.settings import Settings

CLIENT, LATER = 1008, 1013  # codes of closing: who has to do what


class StreamError(Exception):
    """A reason to end a stream, and its code."""

    def __init__(self, said: str, code: int = CLIENT) -> None:
        super().__init__(said)
        self.code = code


class Places:
    """The programs that stream: as many as there may be streams; one is ready at first."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.taken = 0
        self._spare: Child | None = None
        self._busy: set[Child] = set()

    async def prepare(self) -> None:
        """Start a program before anybody asks."""
        if self.settings.most_live and self._spare is None:
            child = await self._start()
            if self._spare is None:
                self._spare = child
            else:  # a stream has come and gone meanwhile
                await child.end()

    async def take(self) -> Child:
        """A program. Raises StreamError if all places are taken, ChildDiedError."""
        if self.taken >= self.settings.most_live:
            raise StreamError("all live places are taken; try again later", LATER)
        self.taken += 1
        try:
            child, self._spare = self._spare, None
            child = child or await self._start()
        except BaseException:
            self.taken -= 1
            raise
        self._busy.add(child)
        return child

    async def give_back(self, child: Child, sound: bool) -> None:
        """The stream has ended; sound: whether the program waits for another."""
        self.taken -= 1
        self._busy.discard(child)
        if sound and self._spare is None:
            self._spare = child
        else:
            await child.end()

    async def close(self) -> None:
        """End all programs."""
        for child in [*self._busy, *filter(None, [self._spare])]:
            await child.end()

    @property
    def pids(self) -> list[int]:
        """Of the programs."""
        return [child.pid for child in [*self._busy, *filter(None, [self._spare])]]

    async def _start(self) -> Child:
        return await Child.start(self.settings.streaming, self.settings.for_programs)
