"""Other tools that put the same prompts to the same server, each in a virtual environment of its own."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from vllm_server import Watch, reset
from ways import MAX_NUM_SEQS, Spent

SCRIPTS = Path(__file__).parent / "peers"
PEERS = {  # what to install; what a peer needs and does not declare is named beside it
    "distilabel": ["distilabel[openai]==1.5.3", "requests", "beautifulsoup4"],
    "curator": ["bespokelabs-curator==0.1.31"],
    "datatrove": ["datatrove==0.10.1", "aiofiles", "aiosqlite", "httpx", "orjson", "xxhash"],
}
QUIET = {"HF_HUB_OFFLINE": "1", "TELEMETRY_ENABLED": "false", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
MOST = 300.0  # seconds for one run of a peer


class NotRun(Exception):
    """Why a peer was not measured, in its own last words."""


def install(name: str, folder: Path) -> Path:
    """The Python of the peer's environment, made if it is not there."""
    python = folder / name / "bin" / "python"
    done = folder / name / "installed.txt"
    if not done.exists():
        venv.create(folder / name, with_pip=True, clear=True)
        said = subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS[name]], capture_output=True, text=True)
        if said.returncode:
            raise NotRun(last_line(said.stderr))
        done.write_text("\n".join(PEERS[name]) + "\n", encoding="utf-8")
    return python


def ask(name: str, python: Path, folder: Path, root: str) -> tuple[Spent, float]:
    """Have a peer ask for everything in `folder`, counted by the server.

    The time is that of the peer's own run, from its first line to its last row in hand; imports are not counted. The
    second figure is for how many seconds the server had something to do.
    """
    reset(root)
    environment = os.environ | QUIET | {"HOME": str(folder), "OPENAI_API_KEY": "none"}
    command = [str(python), str(SCRIPTS / f"ask_{name}.py"), str(folder), f"{root}/v1", str(MAX_NUM_SEQS)]
    watch = Watch(root)
    try:
        said = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder, timeout=MOST)
    except subprocess.TimeoutExpired:
        raise NotRun(f"not done after {MOST:.0f} s") from None
    finally:
        spent, busy = watch.stop(0.0)
    if said.returncode:
        raise NotRun(last_line(said.stderr))
    answer = json.loads(last_line(said.stdout))
    wanted = len(json.loads((folder / "prompts.json").read_text()))
    if answer["answers"] != wanted:
        raise NotRun(f"{answer['answers']} of {wanted} prompts were answered")
    return spent._replace(seconds=answer["seconds"]), busy


def write(folder: Path, asked: list[tuple[str, dict[str, Any]]]) -> None:
    """The prompts with their sampling, but for the seed: peers have one sampling for all."""
    folder.mkdir(parents=True)
    (folder / "prompts.json").write_text(json.dumps([prompt for prompt, _ in asked]), encoding="utf-8")
    sampling = {key: value for key, value in asked[0][1].items() if key != "seed"}
    (folder / "sampling.json").write_text(json.dumps(sampling), encoding="utf-8")


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1].strip()


def installed(names: list[str], folder: Path) -> dict[str, Path]:
    """The peers that can be installed; of the others it is said why not."""
    found = {}
    for name in names:
        try:
            found[name] = install(name, folder)
        except NotRun as problem:
            print(f"{name}: cannot be installed: {problem}", file=sys.stderr, flush=True)
    return found
