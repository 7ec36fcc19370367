"""An engine that answers from a function: for tests and dry runs."""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice

from pipeline.engines.base import Arrived, Completion, Completions, Request, at_hand


class Scripted:
    """Answers each request with `answer(request)`: the text, or a whole completion.

    `window` requests are in flight at once, as in a real engine, so prompts are built as early as they would be there.
    """

    def __init__(
        self,
        answer: Callable[[Request], str | Completion],
        model: str = "scripted",
        chat: bool = False,
        window: int = 8,
    ) -> None:
        self.answer = answer
        self.model = model
        self.chat = chat
        self.window = window
        self.requests: list[Request] = []

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        source, pending = iter(requests), deque[Request]()
        while True:
            for request in islice(at_hand(source), self.window - len(pending)):
                self.requests.append(request)
                pending.append(request)
            if not pending:
                return
            yield self._complete(pending.popleft(), arrived)

    def _complete(self, request: Request, arrived: Arrived | None) -> Completion:
        answer = self.answer(request)
        completion = answer if isinstance(answer, Completion) else Completion(id=request.id, text=answer)
        if arrived:
            arrived(request, completion)
        return completion
