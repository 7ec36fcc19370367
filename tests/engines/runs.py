"""Small runs of the command line against servers that deviate, what they write, and some of the deviations."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.cli.main import main
from tests.engines.providers import HEALTHY, Provider, ProviderServer
from tests.engines.stand_in import Answer

Written = dict[bool, dict[str, bytes]]  # by whether the model is a chat model: files by name
HALF = "1. Describe the gla"


def sprout(provider: Provider, folder: Path, *options: str, query: str = "") -> ProviderServer:
    """A run of 12 tasks; what the server was asked is in the server."""
    with ProviderServer(provider) as server:
        run_on(server, folder, *options, query=query)
    return server


def run_on(server: ProviderServer, folder: Path, *options: str, query: str = "", command: str = "run") -> None:
    url = server.url.replace("/v1", f"/openai/deployments/tiny?{query}") if query else server.url
    settings = ["--set", "instructions.num_tasks=12", "--set", f"engine.url={url}", "--set", "engine.pause=0.01"]
    main([command, "--engine", "server", "--model", "tiny", "--out", str(folder), *settings, *options])


def written(folder: Path) -> dict[str, bytes]:
    """The stage files and the dataset."""
    files = [*folder.glob("*.jsonl"), *folder.glob("dataset/*.jsonl")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(files)}


def chat_answer(reason: object, content: object, **fields: Any) -> Answer:
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}
    return Answer(
        body={"choices": [{"index": 0, "finish_reason": reason, "message": message}], "usage": usage} | fields
    )


def with_usage(usage: object) -> Provider:
    return replace(HEALTHY, usage=lambda prompt, written: usage)


def refusing(name: str, refusal: Any) -> Provider:
    return replace(HEALTHY, refuses={name: refusal})
