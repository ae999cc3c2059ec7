"""The two ways in which voiceconv stops on purpose: one sentence and an exit code each."""


class InputError(Exception):
    """An option, a file or a configuration that the user can put right: exit code 2."""


class RunError(Exception):
    """A run that began properly and could not be finished: exit code 1."""
