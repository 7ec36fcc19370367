"""Which tokens may come next, so that a completion has its shape: one of a few texts, or JSON of a schema."""

from __future__ import annotations

import json
import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.engines.base import Request
from pipeline.engines.shape import is_held
from pipeline.text import short

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from llguidance import LLMatcher, LLTokenizer
    from torch import Tensor

logger = logging.getLogger(__name__)

MAX_KNOWN = 256  # shapes whose grammar is kept
# JSON on one line, as Python writes it: with blanks where it likes, a weak model writes nothing else.
JSON: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class Guides:
    """Makes the guides of a model's completions, by llguidance; of each shape the grammar is read once."""

    def __init__(self, tokenizer: Any, ends: Collection[int]) -> None:
        self.tokenizer, self.ends = tokenizer, ends
        self._known: dict[str, LLMatcher] = {}

    def guide(self, request: Request) -> Guide | None:
        """None if nothing holds the completion to a shape.

        Raises:
            ValueError: for a schema that is none, or that llguidance does not know.
        """
        if not is_held(self.tokenizer, request) or self._vocabulary is None:
            return None
        return Guide(self._vocabulary, self._matcher(self._vocabulary, request).deep_copy(), self.ends)

    def _matcher(self, vocabulary: LLTokenizer, request: Request) -> LLMatcher:
        from llguidance import LLMatcher

        shape = json.dumps(request.choices or request.json_schema)
        if shape not in self._known:
            if request.choices:
                texts = (json.dumps(choice, ensure_ascii=False) for choice in request.choices)
                grammar = LLMatcher.grammar_from_lark(f"start: {' | '.join(texts)}")
            else:
                grammar = LLMatcher.grammar_from_json_schema(request.json_schema or {}, defaults=JSON)
            matcher = LLMatcher(vocabulary, grammar, log_level=0)
            if matcher.is_error():
                raise ValueError(f"the completion cannot be held to its shape: {short(matcher.get_error())}")
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[shape] = matcher
        return self._known[shape]

    @cached_property
    def _vocabulary(self) -> LLTokenizer | None:
        """The bytes of each token; None, which is said, if they cannot be had."""
        try:
            from llguidance.hf import from_tokenizer

            return from_tokenizer(self.tokenizer)
        except (ImportError, ValueError) as error:
            advice = "pip install llguidance" if isinstance(error, ImportError) else "take one with a fast tokenizer"
            logger.warning(
                "%s: answers are not held to a few words, or to JSON, but read as they come (%s); to hold them, %s",
                self.tokenizer.name_or_path, error, advice,
            )  # fmt: skip
            return None


class Guide:
    """Follows one completion. All tokens that spell the shape may come, in whatever way they divide it."""

    def __init__(self, vocabulary: LLTokenizer, matcher: LLMatcher, ends: Collection[int]) -> None:
        self.vocabulary, self.matcher, self.ends = vocabulary, matcher, ends

    def allowed(self, size: int) -> Tensor:
        """Which tokens may come next: `size` truth values, none true where the vocabulary cannot go on."""
        import torch

        bias = torch.frombuffer(bytearray(self.matcher.compute_logit_bias()), dtype=torch.uint8)[:size]
        allowed = torch.zeros(size, dtype=torch.bool)
        allowed[: len(bias)] = bias > 0
        for end in self.ends:
            if end < size:
                allowed[end] = self.matcher.is_accepting()
        return allowed

    def take(self, token: int) -> bool:
        """Note the next token; whether the completion is whole with it, so that nothing may follow."""
        self.matcher.consume_token(token)
        return bool(self.matcher.is_stopped())

    def text(self, tokens: Sequence[int]) -> str:
        """What tokens spell, as the shape has it: a tokenizer that decodes them may leave out a blank."""
        own = [token for token in tokens if token not in self.ends]
        return str(self.vocabulary.decode_bytes(own).decode(errors="replace"))
