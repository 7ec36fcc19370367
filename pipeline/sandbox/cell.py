"""What keeps a program in: namespaces of its own, made here or by bubblewrap, if this machine allows either."""

import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Way = Literal["unshare", "bwrap", "none"]

JAIL = Path(__file__).with_name("jail.py")
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/nix/store")


@dataclass(frozen=True)
class Cell:
    """A way to keep programs in, and what they may read there.

    Attributes:
        way: unshare: namespaces that the jail makes itself; bwrap: those of bubblewrap; none: nothing but limits.
        packages: They may import the packages that are installed beside Sprout.
    """

    way: Way
    packages: bool = False

    def path(self) -> list[str]:
        """Where modules are imported from."""
        standard = sysconfig.get_path("stdlib")
        return [standard, f"{standard}/lib-dynload", *(_site_packages() if self.packages else [])]

    def folders(self) -> list[str]:
        """What can be read: the libraries of the system and of this interpreter, none of which holds a user's data."""
        wanted = [*LIBRARIES, f"{sys.base_prefix}/lib", *self.path()]
        kept: list[str] = []
        for path in dict.fromkeys(wanted):
            if Path(path).is_dir() and not any(Path(path).is_relative_to(above) for above in kept):
                kept.append(path)
        return kept

    def files(self) -> list[str]:
        """Single files that can be read."""
        return [path for path in ("/etc/ld.so.cache", *DEVICES) if Path(path).exists()]

    def command(self, disk: int) -> list[str]:
        """Starts the jail, which waits for its orders on standard input.

        Args:
            disk: Bytes that files may have there.
        """
        jail = [_interpreter(), "-S", "-B", "-c", JAIL.read_text(encoding="utf-8")]
        return [*_bubblewrap(self, disk), *jail] if self.way == "bwrap" else jail

    def orders(self) -> dict[str, Any]:
        """What the jail has to know of this cell."""
        parent = 0 if self.way == "bwrap" else os.getpid()
        return {
            "cell": self.way,
            "path": self.path(),
            "folders": self.folders(),
            "files": self.files(),
            "parent": parent,
        }


def _site_packages() -> list[str]:
    return [path for path in sys.path if "-packages" in path and Path(path).is_dir()]


def _interpreter() -> str:
    """Without the environment around it: the jail needs no package."""
    found = getattr(sys, "_base_executable", "") or sys.executable
    return os.path.realpath(found)


def _bubblewrap(cell: Cell, disk: int) -> list[str]:
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--uid", "65534", "--gid", "65534"]
    words += ["--cap-drop", "ALL", "--size", str(disk), "--tmpfs", "/tmp", "--symlink", "/tmp", "/dev/shm"]
    for path in cell.folders():
        place = Path(path)
        words += ["--symlink", str(place.readlink()), path] if place.is_symlink() else ["--ro-bind", path, path]
    for path in (*cell.files(), _interpreter()):
        words += ["--dev-bind" if path in DEVICES else "--ro-bind", path, path]
    return [*words, "--remount-ro", "/", "--chdir", "/tmp"]
