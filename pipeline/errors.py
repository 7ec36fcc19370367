"""The errors a user can do something about; each is one sentence."""


class SproutError(Exception):
    """What was found, where, and what to do about it. The command line prints it and exits with 1."""


class EngineUnreachable(SproutError):
    """The engine cannot be reached any more. What was decided is kept; the same command goes on. Exit code 4."""
