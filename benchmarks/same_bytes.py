"""Whether two checkouts make the same run, byte for byte: python benchmarks/same_bytes.py OLD NEW [--set …].

Each makes the quick start in a temporary folder with its own code; what they write is compared: the stage files, the
rows of the dataset, and the answers of the evaluation. Further arguments go to `sprout run quickstart`, such as
`--set instructions.num_tasks=60 --set train.max_steps=5` for a short run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PATTERNS = ("*_*.jsonl", "dataset/**/*.jsonl", "predictions/*.jsonl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    checkouts, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        old, new = (run(checkout, Path(folder) / name, options) for name, checkout in vars(checkouts).items())
    different = [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
    for name in sorted(old.keys() | new.keys()):
        print(f"{'DIFFERENT' if name in different else 'same':<10}{name}")
    sys.exit(bool(different))


def run(checkout: Path, out: Path, options: list[str]) -> dict[str, bytes]:
    """What the quick start of a checkout writes, by the name of the file."""
    subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "quickstart", "--quiet", "--out", str(out), *options],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout.absolute()), "HF_HUB_OFFLINE": "1"},
        check=True,
    )
    return {str(path.relative_to(out)): path.read_bytes() for pattern in PATTERNS for path in out.glob(pattern)}


if __name__ == "__main__":
    main()
