"""The prompts of FOLDER, put to a server by curator: its LiteLLM backend, which it names for a vLLM server.

Its limits a minute are those of paid services, so they are lifted; it has as many requests in flight as told.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from bespokelabs import curator


class Writer(curator.LLM):  # type: ignore[misc]
    def prompt(self, row: dict[str, Any]) -> str:
        return str(row["prompt"])

    def parse(self, row: dict[str, Any], response: str) -> dict[str, Any]:
        return {"text": response}


if __name__ == "__main__":
    folder, url, in_flight = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    prompts = json.loads((folder / "prompts.json").read_text())
    sampling = json.loads((folder / "sampling.json").read_text())
    start = time.perf_counter()
    writer = Writer(
        model_name="hosted_vllm/nano",
        backend="litellm",
        generation_params=sampling,
        backend_params={
            "base_url": url,
            "max_requests_per_minute": 10**6,
            "max_tokens_per_minute": 10**9,
            "max_concurrent_requests": in_flight,
            "invalid_finish_reasons": ["content_filter"],  # or a completion cut at the limit is asked for again
        },
    )
    answer = writer([{"prompt": prompt} for prompt in prompts], working_dir=str(folder))
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "answers": len(answer.dataset["text"])}))
