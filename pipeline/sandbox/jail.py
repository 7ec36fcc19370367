"""Runs one program in a cell of its own: a script for a bare interpreter, which imports nothing of the project.

It reads what to do as JSON from standard input. Only the file descriptor `report` gets the verdict.
"""

import ctypes
import json
import linecache
import os
import resource
import signal
import struct
import sys
import traceback
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>
NEW_MOUNTS, NEW_CGROUPS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NETWORK = (
    0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
CELL = NEW_MOUNTS | NEW_CGROUPS | NEW_UTS | NEW_IPC | NEW_PIDS | NEW_NETWORK
NOSUID, NODEV, NOEXEC, BIND, RECURSIVE, PRIVATE = 2, 4, 8, 0x1000, 0x4000, 0x40000
DETACH = 2  # of umount2
DIE_WITH_PARENT, SET_DUMPABLE, DROP_CAPABILITY, TAKE_IN_ORPHANS, NO_NEW_PRIVILEGES = 1, 4, 24, 36, 38
MOUNT_SETATTR, AT_RECURSIVE, READ_ONLY = 442, 0x8000, 7  # the last: read-only, no set-uid files, no devices
CAPABILITIES_3 = 0x20080522  # version of the header of capset
NOBODY = 65534
MOST_CHARS = 300  # of a line in a traceback
SECCOMP, FILTER = 22, 2  # of prctl; <linux/seccomp.h>, <linux/filter.h>
LOAD, EQUAL, AT_LEAST, GIVE = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # the latter with EPERM
# Calls by which a program could hold memory that counts for no process, or reach parts of the kernel that no test
# needs: shmget, memfd_create, mount, fsopen, fsmount, unshare, setns, add_key, request_key, keyctl, bpf,
# perf_event_open, userfaultfd, io_uring_setup.
REFUSED = {
    "x86_64": (0xC000003E, (29, 319, 165, 430, 432, 272, 308, 248, 249, 250, 321, 298, 323, 425)),
    "aarch64": (0xC00000B7, (194, 279, 40, 430, 432, 97, 268, 217, 218, 219, 280, 241, 282, 425)),
}
OTHER_ABI = 0x40000000  # x32, on x86_64: the same calls under other numbers
ROOM = "/proc"  # a folder that every machine has, and under which nothing lies that a program needs

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    spec = json.load(sys.stdin)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # only its parent ends it
    kill_with_parent(spec["parent"])
    if spec["cell"] == "unshare":
        as_root = leave(spec["slot"])
        in_child(lambda: in_cell(spec, as_root))  # which is process 1 there: with it, all others die
    if spec["cell"] == "none" and os.geteuid() == 0 and all(map(is_open_to_all, spec["path"])):
        os.chown(".", spec["slot"], spec["slot"])
        give_up_rights(spec["slot"])  # root would have no limit on processes
    watch(spec)


def kill_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        call("prctl", DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if parent and os.getppid() != parent:
        os._exit(1)


def call(name: str, *arguments: Any) -> None:
    """A function of the C library that gives 0 when it works."""
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def is_open_to_all(path: str) -> bool:
    """Whether any user can read there."""
    steps = os.path.realpath(path).split("/")
    return all(os.stat("/".join(steps[: end + 1]) or "/").st_mode & 1 for end in range(len(steps)))


def in_child(work: Callable[[], None]) -> None:
    """Do it in a process of its own, and end as that did."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(0)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def leave(slot: int) -> bool:
    """Enter new namespaces; whether that took no user namespace, since this process is allowed to."""
    if os.geteuid() == 0:
        with suppress(OSError):
            call("unshare", CELL)
            return True
        os.setgroups([])
        os.setresgid(slot, slot, slot)  # root would have no limit on processes
        os.setresuid(slot, slot, slot)
    user, group = os.geteuid(), os.getegid()
    call("unshare", CELL | NEW_USER)
    call("prctl", DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)  # which a change of credentials took back
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{NOBODY} {user} 1")
    write("/proc/self/gid_map", f"{NOBODY} {group} 1")
    return False


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def in_cell(spec: dict[str, Any], as_root: bool) -> None:
    call("prctl", DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    with suppress(OSError):  # shared memory that belongs to no process, and so counts for none; maybe not ours to limit
        write("/proc/sys/kernel/shmmni", "0")
    furnish(spec)
    give_up_rights(spec["slot"] if as_root else 0)
    watch(spec)


def furnish(spec: dict[str, Any]) -> None:
    """Make the file system of the cell, in which only /tmp can be written to, and enter it."""
    call("mount", b"none", b"/", None, RECURSIVE | PRIVATE, None)
    tmpfs(ROOM, "size=1m,mode=755")
    cell = f"{ROOM}/cell"
    os.mkdir(cell)
    os.mkdir(f"{cell}/tmp")
    tmpfs(f"{cell}/tmp", f"size={spec['disk']},nr_inodes=4096,mode=1777")
    for path in spec["folders"]:
        if not os.path.lexists(cell + path):
            os.makedirs(os.path.dirname(cell + path), exist_ok=True)
            if os.path.islink(path):  # such as /lib, which is in /usr
                os.symlink(os.readlink(path), cell + path)
            else:
                os.mkdir(cell + path)
    for path in spec["files"]:
        os.makedirs(os.path.dirname(cell + path), exist_ok=True)
        write(cell + path, "")
        call("mount", path.encode(), (cell + path).encode(), None, BIND, None)
    for path in spec["folders"]:
        if not os.path.islink(path):
            call("mount", path.encode(), (cell + path).encode(), None, BIND | RECURSIVE, None)
            read_only(cell + path)
    os.symlink("/tmp", f"{cell}/dev/shm")
    os.mkdir(f"{ROOM}/old")
    read_only(ROOM, recursive=False)
    os.chdir(ROOM)
    call("pivot_root", b".", b"old")
    call("umount2", b"/old", DETACH)
    os.chroot("/cell")  # whoever is in a chroot can make no user namespace
    os.chdir("/tmp")


def tmpfs(path: str, options: str) -> None:
    call("mount", b"tmpfs", path.encode(), b"tmpfs", NOSUID | NODEV | NOEXEC, options.encode())


def read_only(path: str, recursive: bool = True) -> None:
    attributes = (ctypes.c_uint64 * 4)(READ_ONLY, 0, 0, 0)
    at_cwd, flags = -100, AT_RECURSIVE if recursive else 0
    call("syscall", MOUNT_SETATTR, at_cwd, path.encode(), flags, attributes, ctypes.sizeof(attributes))


def give_up_rights(user: int) -> None:
    """No capability is left, none can be got, and root becomes a user whom nothing belongs to."""
    for number in range(64):
        if libc.prctl(DROP_CAPABILITY, number, 0, 0, 0):
            break  # the kernel knows no more
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    call("capset", (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)())
    call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    call("prctl", DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


def watch(spec: dict[str, Any]) -> None:
    """Run the program in a process of its own and report how that ended."""
    report(spec, ready=True)
    if sys.platform == "linux":
        call("prctl", TAKE_IN_ORPHANS, 1, 0, 0, 0)
        call("prctl", SET_DUMPABLE, 0, 0, 0, 0)  # the program cannot look into this process
    program = os.fork()
    if not program:
        play(spec)
    with suppress(ChildProcessError):  # none is left
        while True:
            ended, status = os.wait()
            if ended == program:
                report(spec, status=os.waitstatus_to_exitcode(status))
    while True:
        signal.pause()  # to be killed, with all that the program has left behind


def report(spec: dict[str, Any], **said: Any) -> None:
    os.write(spec["report"], f"\n{spec['secret']} {json.dumps(said)}\n".encode())


def play(spec: dict[str, Any]) -> None:
    """Run the parts of the program one after the other, in one module; tell the end, or what was raised."""
    try:
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        limit(spec)
        refuse_calls()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.path[:] = spec["path"]
        module = types.ModuleType("answer")  # and not __main__: what stands under that does not belong to the tests
        sys.modules["answer"] = module
        for name, code in spec["parts"].items():
            linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
            exec(compile(code, name, "exec", dont_inherit=True), module.__dict__)
        said: dict[str, Any] = {"passed": True}
    except BaseException as error:
        said = raised(error, {*spec["parts"]})
    with suppress(BaseException):
        sys.stdout.flush()
    report(spec, **said)
    os._exit(0)


def raised(error: BaseException, names: set[str]) -> dict[str, Any]:
    kind, trace = type(error).__name__, ""
    with suppress(BaseException):  # the error may be as strange as the program
        told = traceback.TracebackException.from_exception(error, compact=True)
        told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if frame.filename in names])
        trace = "\n".join(line[:MOST_CHARS] for line in "".join(told.format()).splitlines())
    return {"kind": kind, "trace": trace[-4000:]}


def limit(spec: dict[str, Any]) -> None:
    for name, most in spec["limits"].items():
        if not hasattr(resource, name):  # not a limit of this system
            continue
        _, hard = resource.getrlimit(getattr(resource, name))
        given = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(getattr(resource, name), (given, given))


def refuse_calls() -> None:
    """Let the kernel refuse some system calls, on the machines whose numbers of them we know."""
    if os.uname().machine not in REFUSED:
        return
    machine, refused = REFUSED[os.uname().machine]
    code = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, machine), (GIVE, 0, 0, REFUSE), (LOAD, 0, 0, 0)]
    code += [(AT_LEAST, len(refused) + 1, 0, OTHER_ABI)]
    # Each jump goes over the comparisons that are left and over ALLOW.
    code += [(EQUAL, len(refused) - place, 0, number) for place, number in enumerate(refused)]
    code += [(GIVE, 0, 0, ALLOW), (GIVE, 0, 0, REFUSE)]
    rules = b"".join(struct.pack("HBBI", *rule) for rule in code)
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(held := ctypes.create_string_buffer(rules)))
    call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    call("prctl", SECCOMP, FILTER, ctypes.c_char_p(program), 0, 0)
    del held


if __name__ == "__main__":
    main()
