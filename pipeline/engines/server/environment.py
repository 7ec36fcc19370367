"""What the environment says about servers: the key of the API, and the proxy."""

import os
import re
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pipeline.errors import SproutError


def read_key() -> str:
    """The key of the API, empty if there is none."""
    key = (os.environ.get("SPROUT_API_KEY") or os.environ.get("OPENAI_API_KEY") or "").strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise SproutError("SPROUT_API_KEY or OPENAI_API_KEY holds characters that no key can have; set it again")
    return key


def proxy(url: str) -> str | None:
    """The proxy for a server, by HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.

    Raises:
        SproutError: for one that is not spoken to by HTTP. The message does not hold it: there may be a password in it.
    """
    server, proxies = urlsplit(url), getproxies()
    found = proxies.get(server.scheme) or proxies.get("all")
    if not found or proxy_bypass(server.hostname or ""):
        return None
    found = found if "://" in found else f"http://{found}"
    try:
        good = urlsplit(found).scheme in ("http", "https") and bool(urlsplit(found).hostname)
    except ValueError:
        good = False
    if not good:
        raise SproutError(
            f"{server.scheme}_proxy or all_proxy names no http proxy; set another one, or no_proxy={server.hostname}"
        )
    return found
