"""Sends requests over HTTP, with the key, to the server alone; what goes wrong is a `Trouble`."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from pydantic_core import PydanticSerializationError, to_json

from pipeline.engines.server.environment import around_proxy, proxy, read_key
from pipeline.engines.server.said import Said, said
from pipeline.engines.server.statuses import meant
from pipeline.engines.server.trouble import MOVED, UNTRUSTED, Trouble
from pipeline.engines.server.waiting import retry_after, until_reset, wait_said

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

MAX_CONNECT = 10.0  # seconds
KEEP_ALIVE = 3.0  # seconds; vLLM closes a connection that is idle for 5
MAX_HEADER = 1 << 16  # bytes; policies and cookies of a proxy may take more than the 8 KB of aiohttp
BEFORE_MESSAGE = re.compile(r"^\d{3}, message:\s*")  # what aiohttp puts there, though the server did not say it
MAX_HOPS = 5  # redirections
TLS_ALERT = r"\x15\x03"  # as it begins
NOT_AWAITED = (
    "; what stands before the model may not wait as long as an answer takes: raise its limit (in nginx, "
    "proxy_read_timeout), or ask for fewer tokens"
)


class Sender:
    """Sends to one server. No `Trouble` holds the key.

    Args:
        key_header: Which header has the key, if not `Authorization`.
    """

    def __init__(self, url: str, key_header: str = "") -> None:
        self.key, self.proxy = read_key(url), proxy(url)
        key = {key_header or "Authorization": self.key if key_header else f"Bearer {self.key}"} if self.key else {}
        self.plain = {"Content-Type": "application/json"}
        self.headers = self.plain | key  # with each request: the headers of a session go to the proxy as well
        self.session: ClientSession | None = None  # belongs to the event loop

    async def ask(self, url: str, timeout: float, payload: dict[str, Any] | None = None) -> bytes:
        """The body of a good answer, in UTF-8 where its headers say what else it is in; with a payload it is a POST.

        Raises:
            Trouble: for whatever goes wrong.
        """
        return await self.send(url, timeout, None if payload is None else encoded(payload))

    async def send(self, url: str, timeout: float, data: bytes | None, content_type: str = "") -> bytes:
        """As `ask`, with a body that is JSON unless another type is given."""
        from aiohttp import ClientError

        try:
            async with asyncio.timeout(timeout):
                return await self._follow(url, data, {"Content-Type": content_type} if content_type else {})
        except TimeoutError:
            trouble = Trouble("time-out", f"no answer within {timeout:g} s")
        except Trouble as error:
            trouble = error
        except (ClientError, OSError, ValueError) as error:
            trouble = self._no_answer(error, url)
        raise trouble from None  # out here, so that it has no context: that may hold the key

    def clean(self, text: str) -> str:
        """Without the key, which servers like to repeat, and on one line."""
        return " ".join((text.replace(self.key, "[key]") if self.key else text).split())

    async def close(self) -> None:
        if self.session:
            await self.session.close()

    def trouble(self, found: Said, status: int) -> Trouble:
        """What an error comes to: with the status that its words mean, and without the key."""
        status = meant(status, found)
        return Trouble(f"answer {status}", self.clean(found.words), status, params=found.params)

    async def _follow(self, url: str, data: bytes | None, kind: dict[str, str]) -> bytes:
        """The body of a good answer, where the server leads to.

        A POST stays one, or is not led on, unless its own answer is said to come later.
        """
        first = url
        for _ in range(MAX_HOPS + 1):
            headers = (self.headers if keeps_key(first, url) else self.plain) | kind
            parts: dict[str, Any] = {"data": data, "headers": headers, "proxy": self.proxy, "allow_redirects": False}
            async with self._session().request("POST" if data else "GET", url, **parts) as answer:
                content = await answer.read()
                if answer.status < 300:
                    return in_utf8(content, answer)
                if answer.status not in MOVED or not (place := answer.headers.get("Location")):
                    raise self._trouble(content, answer)
                before, url = url, urljoin(url, place)
                if urlsplit(url).scheme not in ("http", "https"):
                    raise ValueError
                if answer.status == 303 and keeps_key(first, url) and urlsplit(url).path == urlsplit(before).path:
                    data = None  # Modal, after 150 s: the answer will be there, for whoever asks with GET
                if data and answer.status not in (307, 308):
                    trouble = Trouble(f"answer {answer.status}", self.clean(led(before, url)), answer.status)
                    trouble.path = answer.url.path
                    raise trouble
        raise Trouble("disconnection", f"it leads from one address to another, {MAX_HOPS} times and more")

    def _no_answer(self, error: Exception, url: str) -> Trouble:
        from aiohttp import ClientHttpProxyError, ClientProxyConnectionError, ClientResponseError

        kind = "shortage of files" if "Too many open files" in str(error) else "disconnection"
        words = self.clean(broken(error))
        if isinstance(error, ClientResponseError) and not isinstance(error, ClientHttpProxyError):
            kind, words = "answer unreadable", f"not in HTTP as it should be: {words}"
            if TLS_ALERT in words:
                words += "; the server may want TLS, and a url with https://"
        trouble = Trouble(kind, words, UNTRUSTED if is_untrusted(error) else 0)
        if isinstance(error, ClientProxyConnectionError):
            trouble.hint = f", to {around_proxy(url)}"
        elif isinstance(error, ClientHttpProxyError):
            trouble.hint = f", by {around_proxy(url)}"
            trouble.status = 407 if error.status in (403, 407) else 0
        return trouble

    def _trouble(self, content: bytes, answer: ClientResponse) -> Trouble:
        trouble = self.trouble(said(content, answer.status), answer.status)
        wait = retry_after(answer.headers) or wait_said(content[:20_000].decode(errors="replace"))
        trouble.wait = wait or (until_reset(answer.headers) if 429 in (trouble.status, answer.status) else 0.0)
        trouble.path = answer.url.path
        if self.proxy and answer.url.scheme == "http" and not content.lstrip().startswith((b"{", b"[")):
            trouble.hint = f"; it may come from {around_proxy(str(answer.url))}"
        elif trouble.status in (504, 524):
            trouble.hint = NOT_AWAITED
        return trouble

    def _session(self) -> ClientSession:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        if self.session is None:
            self.session = ClientSession(
                connector=TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE),  # `Slots` say how many there are
                timeout=ClientTimeout(sock_connect=MAX_CONNECT),
                cookie_jar=DummyCookieJar(),
                max_line_size=MAX_HEADER,
                max_field_size=MAX_HEADER,
            )
        return self.session


def encoded(payload: dict[str, Any]) -> bytes:
    """The payload as JSON, in a fifth of the time that `json` takes.

    Raises:
        Trouble: for a text that cannot be sent.
    """
    try:
        return to_json(payload)
    except PydanticSerializationError:
        raise Trouble("request unfit", "the prompt cannot be sent: surrogates not allowed", 400) from None


def keeps_key(first: str, url: str) -> bool:
    """Whether the key may go where the server leads: to the same one, or to the same host by https."""
    if url == first:
        return True
    one, other = urlsplit(first), urlsplit(url)
    same = (one.scheme, one.hostname, _port(one)) == (other.scheme, other.hostname, _port(other))
    return same or (one.hostname == other.hostname and (one.scheme, other.scheme) == ("http", "https"))


def _port(parts: Any) -> int:
    return int(parts.port or (443 if parts.scheme == "https" else 80))


def led(url: str, place: str) -> str:
    """What to say of a redirection that a request for a completion cannot follow."""
    asked, found = urlsplit(url), urlsplit(place)
    end = next((end for end in ("/chat/completions", "/completions") if asked.path.endswith(end)), "")
    if end and found.path.rstrip("/").endswith(end):
        base = urlunsplit((found.scheme, found.netloc.rpartition("@")[2], found.path.rstrip("/")[: -len(end)], "", ""))
        return f"has moved to {base}; give that as the url"
    base = urlunsplit((found.scheme, found.netloc.rpartition("@")[2], found.path, "", ""))
    return f"leads to {base}, which may be a page to log in; give the url of its API"


def in_utf8(content: bytes, answer: ClientResponse) -> bytes:
    """The body as UTF-8, where it is in what its headers say instead: many say so of what is UTF-8."""
    charset = answer.charset or ""
    if charset.lower() in ("", "utf-8", "utf8") or _is_utf8(content):
        return content
    try:
        return content.decode(charset).encode()
    except (LookupError, UnicodeError):
        return content


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_untrusted(error: Exception) -> bool:
    """Whether TLS cannot work there, whenever it is tried: another certificate is needed, or another url."""
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    return isinstance(cause, ssl.SSLCertVerificationError | ssl.CertificateError) or (
        isinstance(cause, ssl.SSLError) and getattr(cause, "reason", "") == "WRONG_VERSION_NUMBER"
    )


def broken(error: Exception) -> str:
    """What is wrong with a connection, without an address: that of a proxy may hold a password."""
    if isinstance(cause := getattr(error, "os_error", None), OSError):
        own = isinstance(cause, (ssl.SSLError, socket.gaierror)) or not cause.errno  # the number is not the system's
        why = cause.strerror or str(cause) if own else os.strerror(cause.errno or 0)
        return f"cannot connect: {why or type(cause).__name__}"
    if isinstance(error, ValueError):
        return "the address, or that of a proxy or a redirection, is none"
    message = getattr(error, "message", str(error))
    message = BEFORE_MESSAGE.sub("", message) if isinstance(message, str) else ""
    return message or "the connection broke"
