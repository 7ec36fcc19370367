"""What the environment says about servers: the key of the API, and the proxy."""

import os
import re
from contextlib import suppress
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from pipeline.errors import SproutError

KEYS = ("SPROUT_API_KEY", "OPENAI_API_KEY")


def read_key(url: str) -> str:
    """The key of the API at a url, empty if there is none: that of its host, or else that of all servers.

    Raises:
        SproutError: for one with characters that no key can have.
    """
    name = _named(url)
    key = os.environ.get(name, "").strip()
    if not re.fullmatch(r"[!#-&(-~]*", key):
        raise SproutError(
            f"{name} holds characters that no key can have, as a space or a quotation mark; set it to the key alone"
        )
    return key


def advice_on_key(url: str) -> str:
    """What to do about a key that the server refuses: which variable to set."""
    name, own = _named(url), own_keys(url)
    if name in own:
        return f"the key is that of {name}; set it again"
    given = f"the key is that of {name}; set it again" if name else f"there is no key; set {KEYS[0]}"
    return f"{given}, or {own[-1]} for this server alone"


def own_keys(url: str) -> tuple[str, ...]:
    """The variables for the key of one server alone, with its port and without.

    Example:
        >>> own_keys("http://gpu-1.lab:8000/v1")
        ('SPROUT_API_KEY_GPU_1_LAB_8000', 'SPROUT_API_KEY_GPU_1_LAB')
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    places = [f"{host}_{parts.port}", host] if parts.port else [host]
    return tuple(f"SPROUT_API_KEY_{re.sub(r'[^A-Z0-9]', '_', place.upper())}" for place in places)


def proxy(url: str) -> str | None:
    """The proxy for a server, by HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.

    Raises:
        SproutError: for one that is not spoken to by HTTP. The message does not hold it: there may be a password in it.
    """
    server, proxies = urlsplit(url), getproxies()
    found = proxies.get(server.scheme) or proxies.get("all")
    if not found or _goes_without(server, proxies.get("no", "")):
        return None
    found = found if "://" in found else f"http://{found}"
    try:
        good = urlsplit(found).scheme in ("http", "https") and bool(urlsplit(found).hostname)
    except ValueError:
        good = False
    if not good:
        raise SproutError(f"{proxy_names(url)} names no http proxy; set another one, or no_proxy={server.hostname}")
    return found


def proxy_names(url: str) -> str:
    """The variables that may name the proxy for a server."""
    return f"{urlsplit(url).scheme}_proxy or all_proxy"


def around_proxy(url: str) -> str:
    """What to say of a proxy that is in the way: which one, and how to go without it."""
    return f"the proxy of {proxy_names(url)}; no_proxy={urlsplit(url).hostname} goes without it"


def _goes_without(server: SplitResult, names: str) -> bool:
    """Whether no_proxy names a server, by its host, with its port or not, or by a network, such as 10.0.0.0/8."""
    if proxy_bypass(server.netloc):
        return True
    with suppress(ValueError):  # a host that is no address
        address = ip_address(server.hostname or "")
        for name in names.split(","):
            with suppress(ValueError):
                if address in ip_network(name.strip(), strict=False):
                    return True
    return False


def _named(url: str) -> str:
    """The variable that has the key; empty if none has one."""
    return next((name for name in (*own_keys(url), *KEYS) if os.environ.get(name, "").strip()), "")
