"""The two ways in which voiceconv stops on purpose; the command line turns each into one sentence and an exit code."""


class InputError(Exception):
    """A path, an option, a file's content or a configuration that the user can put right: exit code 2."""


class RunError(Exception):
    """A run that began properly and could not be finished: exit code 1."""
