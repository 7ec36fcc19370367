"""What the engine `server` takes of a processor for each request, beside a client that does nothing but ask.

    python benchmarks/client.py

A server in a process of its own answers each request at once, as vLLM writes answers. The engine asks it for
completions of prompts that share 4.6 KB, as those of a stage do. The bare client is the fewest lines that ask for the
same by aiohttp, with as many requests in flight, and read nothing but the text. CPU time of the client's process alone,
the least of several rounds; neither the journal nor a stage is in it.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context

import aiohttp

from pipeline.engines.base import Request, Sampling
from pipeline.engines.server import Server

SHARED = "Come up with examples for the following tasks. " * 100
SAMPLING = Sampling(temperature=0, presence_penalty=1.5, max_tokens=350, stop=("\nTask:", "\nExample 6"))
IN_FLIGHT = 256
WAIT = 20.0  # seconds for the server to come up
ANSWER = {
    "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "text": "\nInput: A street in the rain.\nOutput: Take an umbrella, and the tram." * 3,
                 "logprobs": None, "finish_reason": "stop", "stop_reason": None, "prompt_logprobs": None}],
    "usage": {"prompt_tokens": 1000, "total_tokens": 1040, "completion_tokens": 40,
              "prompt_tokens_details": {"cached_tokens": 960}},
}  # fmt: skip
COMPLETION = json.dumps(ANSWER).encode()
METRICS = b'vllm:num_requests_running{engine="0"} 1.0\nvllm:num_requests_waiting{engine="0"} 0.0\n'
ANSWERS = {b"/metrics": METRICS, b"/v1/models": b'{"data": [{"id": "m"}]}'}


class AtOnce(asyncio.Protocol):
    """Answers whatever it is asked; requests come one after another on a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.received = transport, b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n") + 4) > 3:
            head = self.received[:end].lower()
            _, named, length = head.partition(b"content-length:")
            whole = end + (int(length.partition(b"\r\n")[0]) if named else 0)
            if len(self.received) < whole:
                return
            self.received = self.received[whole:]
            body = ANSWERS.get(head.split(b" ")[1], COMPLETION)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            self.transport.write(head + body)  # type: ignore[attr-defined]


def serve(tell: Callable[[int], None]) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(AtOnce, "127.0.0.1", 0)
        tell(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def served() -> Iterator[str]:
    """The url of the server."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs.send,), daemon=True)
    process.start()
    try:
        if not ours.poll(WAIT):
            raise TimeoutError(f"the server did not come up within {WAIT:g} s")
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.kill()
        process.join()


def requests(count: int) -> Iterator[Request]:
    for number in range(count):
        sampling = SAMPLING.model_copy(update={"seed": number})
        yield Request(id=f"task_{number:016x}", prompt=f"{SHARED}Task: name bird {number}.", sampling=sampling)


def engine(url: str, count: int, rounds: int) -> Iterator[float]:
    """Seconds of CPU of each round."""
    server = Server("m", url, chat=False, window=IN_FLIGHT)
    try:
        for _ in range(rounds + 1):  # the first one learns how many requests the server takes
            asked = list(requests(count))
            begun = time.process_time()
            texts = [completion.text for completion in server.generate(asked)]
            yield time.process_time() - begun
            assert len(texts) == count
    finally:
        server.close()


async def bare_client(url: str, count: int, rounds: int) -> list[float]:
    """The same of a client that does nothing but ask."""
    free, found = asyncio.Semaphore(IN_FLIGHT), []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(request: Request) -> str:
            sampling = request.sampling.model_dump(include={"temperature", "presence_penalty", "max_tokens", "stop"})
            body = {"model": "m", "prompt": request.prompt, "seed": request.sampling.seed, **sampling}
            async with free, session.post(f"{url}/completions", json=body) as answer:
                return str((await answer.json())["choices"][0]["text"])

        for _ in range(rounds):
            asked = list(requests(count))
            begun = time.process_time()
            texts = await asyncio.gather(*map(ask, asked))
            found.append(time.process_time() - begun)
            assert len(texts) == count
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with served() as url:
        ours = min([*engine(url, args.requests, args.rounds)][1:])
        theirs = min(asyncio.run(bare_client(url, args.requests, args.rounds)))
    print("| client | CPU a request |\n|---|---:|")
    print(f"| the engine `server` | {ours / args.requests * 1e6:,.0f} µs |")
    print(f"| aiohttp alone | {theirs / args.requests * 1e6:,.0f} µs |")


if __name__ == "__main__":
    main()
