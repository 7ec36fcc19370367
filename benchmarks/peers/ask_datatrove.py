"""The prompts of FOLDER, put to a server by datatrove: its inference step on an endpoint, with a local executor.

It writes each answer down as it comes (`checkpoints_local_dir`), as Sprout does.
"""

import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
from datatrove.pipeline.writers import JsonlWriter


async def ask(document: Document, generate: Callable[[dict[str, Any]], Awaitable[Any]]) -> Any:
    return (await generate({"prompt": document.text})).text


if __name__ == "__main__":
    folder, url, in_flight = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    prompts = json.loads((folder / "prompts.json").read_text())
    sampling = json.loads((folder / "sampling.json").read_text())
    start = time.perf_counter()
    config = InferenceConfig(
        server_type="endpoint",
        endpoint_url=url.removesuffix("/v1"),
        model_name_or_path="nano",
        use_chat=False,
        default_generation_params=sampling,
        max_concurrent_generations=in_flight,
    )
    documents = [Document(text=prompt, id=str(number)) for number, prompt in enumerate(prompts)]
    writer = JsonlWriter(str(folder / "answers"), output_filename="${rank}_${chunk_index}.jsonl", compression=None)
    step = InferenceRunner(ask, config, writer, checkpoints_local_dir=str(folder / "checkpoints"))
    LocalPipelineExecutor([documents, step], tasks=1, logging_dir=str(folder / "logs")).run()
    seconds = time.perf_counter() - start
    lines = [json.loads(line) for path in (folder / "answers").glob("*.jsonl") for line in path.open()]
    answered = sum(line["metadata"]["rollout_results"][0] is not None for line in lines)
    print(json.dumps({"seconds": seconds, "answers": answered}))
