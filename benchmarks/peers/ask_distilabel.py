"""The prompts of FOLDER, put to a server by distilabel: one `TextGeneration` step with its client for OpenAI servers.

A step asks for its whole batch at once and waits for the slowest of it. Its default are batches of 50; here they are as
large as what the server works on at once. (`ClientvLLM` knows no stop strings.)
"""

import json
import sys
import time
from pathlib import Path

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

if __name__ == "__main__":
    folder, url, in_flight = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    prompts = json.loads((folder / "prompts.json").read_text())
    sampling = json.loads((folder / "sampling.json").read_text())
    sampling["max_new_tokens"] = sampling.pop("max_tokens")
    start = time.perf_counter()
    with Pipeline("instances") as pipeline:
        load = LoadDataFromDicts(data=[{"instruction": prompt} for prompt in prompts], batch_size=in_flight)
        llm = OpenAILLM(model="nano", base_url=url, api_key="none", timeout=600, generation_kwargs=sampling)
        load >> TextGeneration(llm=llm, input_batch_size=in_flight)
    rows = pipeline.run(use_cache=False)["default"]["train"]
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "answers": sum(text is not None for text in rows["generation"])}))
