"""The two kinds of expected error: each prints one sentence and has an exit code."""


class InputError(Exception):
    """An option, a file or a configuration that the user can correct: exit code 2."""


class RunError(Exception):
    """A run that started correctly and could not finish: exit code 1."""
