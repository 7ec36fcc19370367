"""The errors a user can do something about; each is one sentence."""


class SproutError(Exception):
    """What was found, where, and what to do about it. The command line prints it and exits with `exit_code`."""

    exit_code = 1


class EngineUnreachable(SproutError):
    """The engine cannot be reached any more. What was decided is kept; the same command goes on."""

    exit_code = 4


class BudgetReached(SproutError):
    """A limit of the user's own is reached; the same command goes on when it is raised."""

    exit_code = 3
