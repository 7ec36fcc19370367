"""Serves the page of a review: on this machine alone unless told otherwise, to whoever has the token."""

import asyncio
import hmac
import json
import secrets
import shlex
import webbrowser
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from aiohttp import web
from pydantic import ValidationError

from pipeline.dataset import quality
from pipeline.engines.base import Engine
from pipeline.errors import SproutError, explain
from pipeline.report.review import ratings
from pipeline.report.review.desk import LONGEST_NAME, Action, ChangedMeanwhile, Desk
from pipeline.report.review.queue import TaskDesk
from pipeline.report.review.repair import Repairs
from pipeline.text import one_line

ASSETS = Path(__file__).parent / "assets"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
MAX_BYTES = 16 << 20  # of what the page sends
MAX_ITEMS = 100  # that are sent at once
HEADERS = {  # the page fetches nothing from elsewhere, and nobody frames it or learns its address
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ListenAddress(NamedTuple):
    """Where to listen."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: one that is free
    open: bool = False  # the page in a browser

    @property
    def is_here(self) -> bool:
        return self.host in ("127.0.0.1", "::1", "localhost")


def serve(
    desk: Desk, address: ListenAddress, reviewer: str = "", open_engine: Callable[[], Engine] | None = None
) -> str:
    """Serve until Ctrl-C; return the figures of the run then.

    Raises:
        SproutError: if nobody can listen there.
    """
    repairs = Repairs(desk.folder, open_engine) if open_engine else None
    token = secrets.token_urlsafe(16)

    def announce(port: int) -> None:
        host = f"[{address.host}]" if ":" in address.host else address.host
        url = f"http://{host}:{port}/{token}/{f'?reviewer={quote(reviewer)}' if reviewer else ''}"
        print(f"{desk.folder}: {desk.title}\n  {url}", flush=True)  # noqa: T201
        if not address.is_here:
            print("  whoever has this address can read and change the tasks", flush=True)  # noqa: T201
        print("Press Ctrl-C to stop; every verdict is on disk.", flush=True)  # noqa: T201
        if address.open:
            webbrowser.open(url)

    try:
        asyncio.run(serving(application(desk, token, repairs), address, announce))
    except KeyboardInterrupt:
        return figures(desk.folder)
    except OSError as error:
        problem = error.strerror or error
        raise SproutError(f"{address.host}:{address.port}: cannot listen ({problem}); choose another --port") from None
    finally:
        if repairs:
            repairs.close()
    return figures(desk.folder)


async def serving(app: web.Application, address: ListenAddress, announce: Callable[[int], None]) -> None:
    """Listen until cancelled; `announce` is given the port."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address.host, address.port)
        await site.start()
        announce(runner.addresses[0][1])
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def figures(folder: Path) -> str:
    """What people have found in a run so far, as text."""
    found, rated = quality.read_quality(folder), ratings.read_ratings(folder)
    parts = [quality.text_of(found) if found else "", ratings.text_of(rated) if rated else ""]
    hint = f"`sprout review {shlex.quote(str(folder))}` shows its tasks"
    return "\n\n".join(filter(None, parts)) or f"{folder}: nobody has reviewed it yet; {hint}"


def application(desk: Desk, token: str, repairs: Repairs | None = None) -> web.Application:
    """The page and what it asks, all below /`token`/."""
    if repairs and isinstance(desk, TaskDesk):
        desk.can_repair = True
    app = web.Application(middlewares=[_guarded(token)], client_max_size=MAX_BYTES)
    served = _Served(desk, repairs)
    app.add_routes(
        [
            web.get("/{token}/", served.page),
            web.get("/{token}/{name:[a-z]+\\.(?:js|css)}", served.asset),
            web.get("/{token}/start", served.start),
            web.get("/{token}/items", served.items),
            web.get("/{token}/detail", served.detail),
            web.get("/{token}/found", served.found),
            web.get("/{token}/repair", served.repair_state),
            web.post("/{token}/do", served.do),
            web.post("/{token}/undo", served.undo),
            web.post("/{token}/try", served.try_repair),
            web.post("/{token}/repair", served.repair_all),
        ]
    )
    return app


class _Served:
    """What the page asks; work that takes longer than a moment is done in a thread."""

    def __init__(self, desk: Desk, repairs: Repairs | None) -> None:
        self.desk, self.repairs = desk, repairs

    async def page(self, request: web.Request) -> web.StreamResponse:
        return _file(f"{self.desk.page}.html")

    async def asset(self, request: web.Request) -> web.StreamResponse:
        return _file(request.match_info["name"])

    async def start(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(await asyncio.to_thread(self.desk.start, _reviewer(request.query.get("reviewer", ""))))

    async def items(self, request: web.Request) -> web.StreamResponse:
        first, count = (_number(request, name) for name in ("first", "count"))
        reviewer = _reviewer(request.query.get("reviewer", ""))
        return web.json_response(await asyncio.to_thread(self.desk.items, reviewer, first, min(count, MAX_ITEMS)))

    async def detail(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(await asyncio.to_thread(self.desk.detail, request.query.get("id", "")))

    async def do(self, request: web.Request) -> web.StreamResponse:
        try:
            asked = Action.model_validate(await _sent(request))
        except ValidationError as error:
            raise SproutError(f"this is no verdict: {explain(error, Action)}") from None
        asked = asked.model_copy(update={"reviewer": _reviewer(asked.reviewer)})
        return web.json_response(await asyncio.to_thread(self.desk.do, asked))

    async def undo(self, request: web.Request) -> web.StreamResponse:
        reviewer = _reviewer((await _sent(request)).get("reviewer", ""))
        return web.json_response(await asyncio.to_thread(self.desk.undo, reviewer))

    async def found(self, request: web.Request) -> web.StreamResponse:
        """How many kept tasks of the run a search finds."""
        desk, search = self._tasks(), request.query.get("search", "")
        count = await asyncio.to_thread(lambda: sum(1 for _ in desk.found(search)))
        return web.json_response({"count": count})

    async def try_repair(self, request: web.Request) -> web.StreamResponse:
        desk, repairs, sent = self._tasks(), self._repairs(), await _sent(request)
        place = desk.places.get(sent.get("id", ""))
        note = _note(sent)
        if place is None:
            raise SproutError("this task is not in the review; reload the page")
        with desk.lock:
            task = desk.state(place).task
        after, model = await asyncio.to_thread(repairs.tried, task, note)
        return web.json_response({"after": after.fields, "model": model})

    async def repair_all(self, request: web.Request) -> web.StreamResponse:
        desk, repairs, sent = self._tasks(), self._repairs(), await _sent(request)
        note, search, reviewer = _note(sent), str(sent.get("search", "")), _reviewer(sent.get("reviewer", ""))
        tasks = await asyncio.to_thread(lambda: [state.task for state in desk.found(search)])
        if not tasks:
            raise SproutError(f"no task holds {search!r}")
        repairs.begin(tasks, note, reviewer, desk.reviews, desk.lock)
        return web.json_response(repairs.state)

    async def repair_state(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._repairs().state)

    def _tasks(self) -> TaskDesk:
        if not isinstance(self.desk, TaskDesk):
            raise SproutError("answers are rated here; tasks are reviewed without --answers")
        return self.desk

    def _repairs(self) -> Repairs:
        if self.repairs is None:
            raise SproutError(
                "no model is available; start `sprout review` with --settings FILE, or --engine and --model"
            )
        return self.repairs


def _guarded(token: str) -> Any:
    """Turns away whoever lacks the token, puts the headers on all answers, and errors into sentences."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.path.split("/")[1]
        try:
            if not hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
                response: web.StreamResponse = web.Response(status=404, text="Not found.\n")
            else:
                response = await handler(request)
        except ChangedMeanwhile as error:
            response = web.json_response({"error": str(error), "changed": True}, status=409)
        except SproutError as error:
            response = web.json_response({"error": str(error)}, status=400)
        except web.HTTPException as error:
            response = web.Response(status=error.status, text=f"{error.reason}\n")
        except Exception as error:  # the page says it, and the server goes on
            response = web.json_response({"error": f"{type(error).__name__}: {error}"}, status=500)
        response.headers.update(HEADERS)
        return response

    return guard


def _file(name: str) -> web.Response:
    path = ASSETS / name
    if not path.is_file():
        return web.Response(status=404, text="Not found.\n")
    return web.Response(text=path.read_text(encoding="utf-8"), content_type=KINDS[path.suffix], charset="utf-8")


async def _sent(request: web.Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise SproutError("a JSON object is required")
    return found


def _reviewer(name: object) -> str:
    """A name in one line of letters that can be seen."""
    text = "".join(char for char in one_line(str(name)) if char.isprintable())[:LONGEST_NAME]
    if not text:
        raise SproutError("say who you are first")
    return text


def _note(sent: dict[str, Any]) -> str:
    note = " ".join(islice(str(sent.get("note", "")).split(), 2000))
    if not note:
        raise SproutError("say what to change")
    return note


def _number(request: web.Request, name: str) -> int:
    try:
        return int(request.query.get(name, "0"))
    except ValueError:
        raise SproutError(f"{name} is not a number") from None
