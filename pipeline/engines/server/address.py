"""The url of a server: what it may hold, and where its paths lie."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pipeline.errors import SproutError

SECRET = re.compile(r"key|token|secret|sig|pass|auth|code", re.IGNORECASE)  # in the name of a part of a query
ENDPOINTS = ("/chat/completions", "/completions", "/models")  # as people copy them


class Address:
    """Where the paths of a server's API lie; a query, such as Azure's `api-version=…`, goes to each of them."""

    def __init__(self, url: str) -> None:
        self.parts = urlsplit(url)
        path = self.parts.path.rstrip("/")
        for endpoint in ENDPOINTS:
            path = path.removesuffix(endpoint).rstrip("/")
        self.path = path

    def at(self, path: str, **query: str | int) -> str:
        """A path of the API; `query` comes behind the one that the url has."""
        return self._url(self.path + path, "&".join(filter(None, (self.parts.query, urlencode(query)))))

    def beside(self, path: str) -> str:
        """A path next to the API, outside its /v1."""
        return self._url(self.path.removesuffix("/v1") + path, self.parts.query)

    @property
    def key_header(self) -> str:
        """The header for the key, where it is not `Authorization`: older urls of Azure have one of their own."""
        return "api-key" if any(name == "api-version" for name, _ in parse_qsl(self.parts.query)) else ""

    @property
    def names_deployments(self) -> bool:
        """Whether a model is asked for by a name that its owner chose, as on Azure, and so answers under another."""
        host = self.parts.hostname or ""
        return "/deployments/" in self.path or host.endswith((".openai.azure.com", ".cognitiveservices.azure.com"))

    def _url(self, path: str, query: str) -> str:
        return urlunsplit((self.parts.scheme, self.parts.netloc, path, query, ""))


def check_url(url: str) -> None:
    """
    Raises:
        SproutError: for what is not the url of a server, or one that holds a secret.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise SproutError(f"{url}: is not the url of a server; it begins with http:// or https:// and most end in /v1")
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    bare = parts.query and not names
    if parts.username or parts.password or bare or any(SECRET.search(name) for name in names):
        raise SproutError(
            f"the url of {parts.hostname} holds a user, a password or a key, which would be seen in logs; "
            f"give it without, and set SPROUT_API_KEY if there is a key"
        )
