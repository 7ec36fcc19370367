"""The same tasks put to several engines at once, side by side."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import islice, tee
from typing import TypeVar

from pipeline.engines.base import Completion, Engine, Request

T = TypeVar("T")


def ask_together(
    engines: Mapping[str, Engine],
    items: Iterable[T],
    requests: Callable[[str, T], Iterable[Request]],
    count: Callable[[T], int],
) -> Iterator[tuple[T, dict[str, list[Completion]]]]:
    """Yield each item with the completions of its requests, by the name of the engine, in the order of the items.

    Each engine has its own requests in flight, and the slowest sets the pace. An item of which a request failed is left
    out: it stays undecided, and the next run tries it again.

    Args:
        engines: By the name that `requests` is given.
        requests: What an engine is asked about an item; ids differ from engine to engine.
        count: How many requests an item has, the same for each engine, and at least one.
    """
    source, *copies = tee(items, 1 + len(engines))

    def asked(name: str, of: Iterator[T]) -> Iterator[Request]:
        for item in of:
            yield from requests(name, item)

    with ExitStack() as stack:
        streams = [
            stack.enter_context(closing(engine.generate(asked(name, of))))
            for (name, engine), of in zip(engines.items(), copies, strict=True)
        ]
        for item in source:
            found = [list(islice(stream, count(item))) for stream in streams]
            if any(len(given) < count(item) for given in found):
                break  # an engine that answers no more than a few, for a plan
            if all(one.finish_reason != "error" for given in found for one in given):
                yield item, dict(zip(engines, found, strict=True))
        for stream in streams:
            _exhaust(stream)


def _exhaust(stream: Iterator[object]) -> None:
    """Let a stream come to its end, where an engine writes down what it has to say of all of it."""
    for _ in stream:
        pass
