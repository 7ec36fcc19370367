"""An engine around another one, for whoever changes or remembers what passes."""

from collections.abc import Iterable
from functools import cached_property

from pipeline.engines.base import Arrived, Completions, Engine, Likelihoods, Request, Scored, ScoreRequest


class Proxy(Engine):
    """An engine around another one, which does all that this one does not do itself."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.model, self.window, self.loads_folders = engine.model, engine.window, engine.loads_folders
        self.chat_template_kwargs, self.context_limit = engine.chat_template_kwargs, engine.context_limit

    @cached_property
    def chat(self) -> bool:
        return self.engine.chat

    def remember(self, chat: bool) -> None:
        self.engine.remember(chat)

    @cached_property
    def can_prefill(self) -> bool:
        return self.engine.can_prefill

    @cached_property
    def revision(self) -> str:
        return self.engine.revision

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        return self.engine.generate(requests, arrived)

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        return self.engine.score(requests, arrived)

    def pre_query(self, system: str | None = None) -> str | None:
        return self.engine.pre_query(system)

    def close(self) -> None:
        self.engine.close()
