"""Ends what a replica has started, should the replica itself be killed."""

import os
import subprocess
import sys

# It runs in a process of its own, with nothing but the standard library, and is no child of the replica, as Ray ends
# those. vLLM gets some seconds to free its shared memory before it is killed.
WATCH = """
import os, select, signal, sys, time

group = int(sys.argv[1])
replica = os.pidfd_open(group)
if os.fork():
    os._exit(0)
select.select([replica], [], [])
for number in (signal.SIGTERM, signal.SIGKILL):
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        break
    time.sleep(3)
"""


def guard() -> None:
    """Have all processes that this one will start killed soon after it ends, in whatever way it ends.

    They are its process group. Ray ends children of a replica but not theirs, and vLLM's outlive a parent that is
    killed while they load.
    """
    if not hasattr(os, "pidfd_open"):  # not on Linux
        return
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)
    nowhere = subprocess.DEVNULL
    command = [sys.executable, "-I", "-S", "-c", WATCH, str(os.getpid())]
    subprocess.run(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True, check=True)
