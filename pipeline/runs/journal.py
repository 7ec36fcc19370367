"""The journal of a run: it stores each completion and likelihood on arrival, so that no token is paid for twice."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pipeline.engines.base import Completion, Likelihood, Request, ScoreRequest
from pipeline.errors import SproutError
from pipeline.runs.arrivals import Arrivals
from pipeline.runs.keys import as_json, as_text, key, name_of, sampling_of
from pipeline.runs.prefixes import Prefixes
from pipeline.runs.safe import Safe
from pipeline.text import mend

FILE = "completions.sqlite"
MAX_ASKED = 20_000  # requests in flight whose keys are remembered
TOGETHER = 100  # requests that one search is for
SOON = 1.0  # seconds after which other processes see a completion
COMPLETION = ("text", "finish_reason", "prompt_tokens", "cached_tokens", "completion_tokens")

SCHEMA = Path(__file__).with_suffix(".sql")


class Entry(NamedTuple):
    """What the journal holds about one request."""

    stage: str
    request: str
    model: str
    prompt: str  # the text, or the messages as JSON
    sampling: str  # JSON, with `choices` or `json_schema` if the completion was held to them
    completion: Completion


class ScoredText(NamedTuple):
    """What the journal holds about a text whose likelihood was asked for."""

    model: str
    prompt: str  # the text, or the messages as JSON; empty where the text stands alone
    continuation: str
    num_tokens: int
    mean: float  # the log-probability of a token on average


class Usage(NamedTuple):
    """The requests, tokens and time that a stage has used."""

    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    first: float  # when its first completion arrived, seconds since 1970
    last: float
    seconds: float  # at work, in all sittings; 0 if it was not measured
    busy: float  # of them, while the engine was busy
    in_flight: float  # requests, on average, while it was busy

    @property
    def tokens_per_second(self) -> float | None:
        """The speed of a stage: completion tokens per second at work; pauses between sittings do not count."""
        return self.completion_tokens / self.seconds if self.seconds else None


class Journal:
    """Completions and likelihoods in one SQLite file (WAL), keyed by a hash of everything that affects them.

    Raises:
        SproutError: from every method, if the file cannot be read or written, with advice.
    """

    def __init__(self, path: Path) -> None:
        self.closed = False
        self.lock = threading.Lock()  # completions arrive in the threads of engines
        self.asked: dict[str, tuple[Request | ScoreRequest, str, str]] = {}  # in flight, by id: request, model, key
        self.answers: set[tuple[str, str]] | None = None  # stages and models, see `answered`
        self.timer: threading.Timer | None = None
        self.safe = Safe(path)
        with self.safe, ExitStack() as on_failure:
            path.parent.mkdir(parents=True, exist_ok=True)
            frozen = path.is_file() and not os.access(path.parent, os.W_OK)  # in a folder of someone else's: read only
            uri = f"{path.absolute().as_uri()}{'?immutable=1' if frozen else ''}"
            self.db = sqlite3.connect(uri, isolation_level=None, check_same_thread=False, timeout=60, uri=True)
            on_failure.callback(self.db.close)
            if not frozen:
                self.db.execute("PRAGMA journal_mode = WAL")
                self.db.execute("PRAGMA synchronous = NORMAL")  # only a power cut loses the last moments
                self.db.executescript(SCHEMA.read_text(encoding="utf-8"))
            self.completions = Arrivals(self.db, path, "completions", (*COMPLETION, "max_tokens"), "arrived")
            self.likelihoods = Arrivals(self.db, path, "likelihoods", ("per_token", "prompt_tokens"), "scored")
            if not frozen:
                self.completions.recover()
                self.likelihoods.recover()
            self.prefixes = Prefixes(self.db)
            on_failure.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.safe, self.lock:  # SQLite crashes if one thread closes what another one is writing to
            self.closed = True
            if self.timer:
                self.timer.cancel()
            with closing(self.db):
                self.completions.close()
                self.likelihoods.close()

    def find(self, model: str, request: Request) -> Completion | None:
        """The completion of the same request, unless a smaller `max_tokens` cut it off."""
        most = request.sampling.max_tokens
        with self.safe, self.lock:
            row = self.completions.find(self._key(model, request))
        if row is None:
            return None
        self.asked.pop(request.id, None)
        completion = _completion(request.id, row[:5])
        whole = completion.finish_reason == "stop" and completion.completion_tokens <= most
        return completion if whole or row[5] == most else None

    def record(self, stage: str, model: str, request: Request, completion: Completion) -> None:
        """Keep a completion; one that arrives when the run has ended and closed the journal is dropped."""
        with self.safe, self.lock:
            if self.closed:
                return
            prefix, rest = self.prefixes.split(mend(as_text(request)))
            key = self._key(model, request, last=True)
            self.completions.add(key, (
                key, stage, request.id, as_json(request.demos) if request.demos else "[]", name_of(model), prefix, rest,
                sampling_of(request), request.sampling.max_tokens, mend(completion.text), completion.finish_reason,
                completion.prompt_tokens, completion.cached_tokens, completion.completion_tokens, time.time(),
            ))  # fmt: skip
            self._added((stage, name_of(model)), bool(completion.text))

    def find_likelihood(self, model: str, request: ScoreRequest) -> Likelihood | None:
        """The likelihood of the same continuation after the same prompt."""
        with self.safe, self.lock:
            row = self.likelihoods.find(self._key(model, request))
        if row is None:
            return None
        self.asked.pop(request.id, None)
        return _likelihood(request.id, row)

    def recorded_likelihood(self, stage: str, request: str) -> Likelihood | None:
        """The latest likelihood of a request, by its id."""
        rows = self._by_request(self.likelihoods, (
            "SELECT per_token, prompt_tokens FROM likelihoods WHERE stage = ? AND request = ? "
            "ORDER BY arrived DESC, rowid DESC LIMIT 1"
        ), stage, request)  # fmt: skip
        return _likelihood(request, rows[0]) if rows else None

    def record_likelihood(self, stage: str, model: str, request: ScoreRequest, likelihood: Likelihood) -> None:
        """Keep a likelihood, as `record` keeps a completion."""
        with self.safe, self.lock:
            if self.closed:
                return
            prefix, rest = self.prefixes.split(mend(as_text(request)))
            key = self._key(model, request, last=True)
            self.likelihoods.add(key, (
                key, stage, request.id, name_of(model), prefix, rest, mend(request.continuation), request.count_end,
                likelihood.sum, likelihood.num_tokens, json.dumps(likelihood.per_token), likelihood.prompt_tokens,
                time.time(),
            ))  # fmt: skip
            self._added((stage, name_of(model)), True)

    def _added(self, answer: tuple[str, str], counts: bool) -> None:
        if self.answers is not None and counts:
            self.answers.add(answer)
        if self.timer is None:  # so that other processes see it soon
            self.timer = threading.Timer(SOON, self._late)
            self.timer.daemon = True
            self.timer.start()

    def entry(self, stage: str, request: str) -> Entry | None:
        """The latest completion of a request, by its id."""
        found = self.entries({stage: (request,)})[stage]
        return found[0] if found and found[0].request == request else None

    def entries(self, asked: Mapping[str, Sequence[str]]) -> dict[str, list[Entry]]:
        """The latest completion of each request of each stage, and of requests whose ids extend it: `ID:0`, `ID:1`."""
        columns = "demos, model, coalesce(prefixes.text, '') || prompt, sampling, " + ", ".join(
            f"completions.{column}" for column in COMPLETION
        )
        found = self._of(self.completions, columns, asked)
        return {stage: [*{row[1]: _entry(row) for row in rows}.values()] for stage, rows in found.items()}

    def scored(self, asked: Mapping[str, Sequence[str]]) -> dict[str, list[ScoredText]]:
        """The texts that were scored for the same requests."""
        columns = "model, coalesce(prefixes.text, '') || prompt, continuation, num_tokens, sum / max(num_tokens, 1)"
        found = self._of(self.likelihoods, columns, asked)
        return {stage: [ScoredText(*row[2:]) for row in rows] for stage, rows in found.items()}

    def _of(self, table: Arrivals, columns: str, asked: Mapping[str, Sequence[str]]) -> dict[str, list[Any]]:
        """By stage, the rows of its requests, each followed by those whose ids extend it; the latest comes last.

        All requests are looked for at once: without an index, each search reads the whole table.
        """
        pairs = [(stage, id) for stage, ids in asked.items() for id in ids]
        rows: list[Any] = []
        for start in range(0, len(pairs), TOGETHER):
            some = pairs[start : start + TOGETHER]
            where = ["stage = ? AND request = ? OR stage = ? AND request >= ? AND request < ?"] * len(some)
            values = [value for stage, id in some for value in (stage, id, stage, f"{id}:", f"{id};")]
            rows += self._by_request(
                table, f"SELECT stage, request, {columns} FROM {table.table} LEFT JOIN prefixes ON prefixes.id = "
                f"prefix WHERE {' OR '.join(where)} ORDER BY arrived, {table.table}.rowid", *values,
            )  # fmt: skip
        rows.sort(key=lambda row: (len(row[1]), row[1]))
        return {stage: [row for id in ids for row in rows if row[0] == stage and f"{row[1]}:".startswith(f"{id}:")]
                for stage, ids in asked.items()}  # fmt: skip

    def requests(self, stage: str, kind: Literal["completions", "likelihoods"] = "completions") -> set[str]:
        """The ids of all requests of a stage that have a completion, or a likelihood."""
        return {id for (id,) in self._rows(f"SELECT request FROM {kind} WHERE stage = ?", stage)}

    def answered(self, stage: str, model: str) -> bool:
        """Whether the model has a completion with text, or a likelihood, for the stage."""
        if self.answers is None:
            self.answers = {(stage, model) for stage, model in self._rows(
                "SELECT DISTINCT stage, model FROM completions WHERE text != '' "
                "UNION SELECT DISTINCT stage, model FROM likelihoods"
            )}  # fmt: skip
        return (stage, name_of(model)) in self.answers

    def usage(self) -> dict[str, Usage]:
        """Usage by stage, in the order in which the stages began."""
        rows = self._rows(
            "SELECT stage, count(*), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens), min(arrived), "
            "max(arrived), coalesce(seconds, 0), coalesce(busy, 0), coalesce(in_flight / max(busy, 1e-9), 0) "
            "FROM (SELECT stage, prompt_tokens, cached_tokens, completion_tokens, arrived FROM completions "
            "UNION ALL SELECT stage, prompt_tokens + num_tokens, 0, 0, arrived FROM likelihoods) "
            "LEFT JOIN (SELECT stage AS name, sum(seconds) AS seconds, sum(busy) AS busy, "
            "sum(in_flight) AS in_flight FROM sittings GROUP BY stage) ON name = stage "
            "GROUP BY stage ORDER BY min(arrived)"
        )
        return {stage: Usage(*figures) for stage, *figures in rows}

    def sitting(self, id: int | None, stage: str, seconds: float, busy: float, in_flight: float) -> int:
        """Record how long a stage was at work; with the id of an earlier record, replace that record."""
        with self.safe, self.lock:
            self._commit()  # at the end of a stage all is there for whoever opens the file besides
            row = self.db.execute("INSERT OR REPLACE INTO sittings VALUES (?, ?, ?, ?, ?)",
                (id, stage, seconds, busy, in_flight)).lastrowid  # fmt: skip
            assert row is not None
            return row

    def _rows(self, statement: str, *values: str) -> list[Any]:
        """What a statement finds, in all that has arrived."""
        with self.safe, self.lock:
            self._commit()
            return self.db.execute(statement, values).fetchall()

    def _by_request(self, table: Arrivals, statement: str, *values: str) -> list[Any]:
        """The same of a statement that looks for the ids of requests."""
        with self.safe, self.lock:
            table.index()
        return self._rows(statement, *values)

    def _commit(self) -> None:
        self.completions.commit()
        self.likelihoods.commit()

    def _late(self) -> None:
        with suppress(SproutError), self.safe, self.lock:  # whoever writes or closes it next is told
            self.timer = None
            if not self.closed:
                self._commit()

    def _key(self, model: str, request: Request | ScoreRequest, last: bool = False) -> str:
        """The key of a request, which is looked for when it is asked and, for the last time, when it is answered."""
        same, of, found = self.asked.pop(request.id, (None, "", ""))
        if same is not request or of != model:
            prompt = request.prompt if isinstance(request.prompt, str) else ""
            found = key(model, request, self.prefixes.of(prompt))
        if not last:
            self.asked[request.id] = request, model, found
            if len(self.asked) > MAX_ASKED:
                del self.asked[next(iter(self.asked))]
        return found


def _entry(row: Sequence[Any]) -> Entry:
    stage, id, demos, model, prompt, sampling, *columns = row
    return Entry(stage, id, model, prompt, sampling, _completion(id, columns, demos))


def _completion(id: str, columns: Sequence[Any], demos: str = "null") -> Completion:
    """A completion from the columns named in `COMPLETION`."""
    values = dict(zip(COMPLETION, columns, strict=True))
    return Completion.model_validate({"id": id, "demos": json.loads(demos)} | values)


def _likelihood(id: str, columns: Sequence[Any]) -> Likelihood:
    per_token, prompt_tokens = columns
    return Likelihood(id=id, per_token=tuple(json.loads(per_token)), prompt_tokens=prompt_tokens)
