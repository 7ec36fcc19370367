"""How many connections this process may open: each takes a file, and systems allow 256 or 1,024 of them at first."""

import resource
from contextlib import suppress

SPARE = 64  # files for all else
LARGEST = 10_240  # files; macOS says that there is no limit, and allows no more


def room_for(most: int) -> int:
    """How many connections may be open at once, of as many as are wanted; raises the limit as far as it can be."""
    limit, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return most
    if (wanted := most + SPARE) > limit:
        higher = min(wanted, LARGEST if allowed == resource.RLIM_INFINITY else allowed)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit, higher), allowed))
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(most, limit - SPARE))
