# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the forge is: base address, origins, and path segments that hold untrusted names."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urljoin, urlsplit

API = "/api/v1"
_PORTS = {"http": 80, "https": 443}
_MODES = {True: "true", False: "false"}


@dataclass(frozen=True)
class Base:
    """The address of a forge: scheme, host, port, and the path that its API begins with."""

    scheme: str
    host: str
    port: int
    prefix: str

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def site(self) -> str:
        """The path of the site itself, without a slash at its end: "" unless it is installed below one."""
        return self.prefix[: -len(API)]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.site}"


def parse_base(url: str) -> Base:
    """Return the base of a forge. Raises ValueError with the fix; credentials in it are refused, unquoted."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValueError("the forge's URL cannot be read; give one like https://forge.example.org") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("the forge's URL holds a user or password; give them as their own settings")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("the forge's URL needs http:// or https:// and a host")
    if parts.query or parts.fragment:
        raise ValueError("the forge's URL ends with a query or fragment; leave it out")
    path = parts.path.rstrip("/")
    path = path[: -len(API)] if path.endswith(API) else path
    return Base(parts.scheme, _ascii_host(parts.hostname), port or _PORTS[parts.scheme], path + API)


def _ascii_host(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        try:
            return host.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError("the forge's URL has a host name that does not exist") from None
    return host


def segments(*parts: str | int) -> str:
    """Return a path of these segments, each quoted whole; a dot segment leads elsewhere and is refused."""
    done = []
    for part in parts:
        text = str(part)
        if text in ("", ".", ".."):
            raise ValueError(f"{text!r} is no name that a forge can have")
        done.append(quote(text, safe=""))
    return "/" + "/".join(done)


def repo_path(repo: str, *parts: str | int) -> str:
    """Return the API path of something in a repository that is given as owner/name."""
    owner, slash, name = repo.partition("/")
    if not slash or "/" in name:
        raise ValueError(f"{repo!r} is no repository; write owner/name")
    return segments("repos", owner, name, *parts)


# The account that asks, where an owner is due; no name can look like it.
ME = "@me"


def owner_path(owner: str, *parts: str | int) -> str:
    """Return the API path of something of a repository (owner/name), an organization (its name), or ME."""
    if owner == ME:
        return segments("user", *parts)
    return repo_path(owner, *parts) if "/" in owner else segments("orgs", owner, *parts)


def with_query(path: str, query: Mapping[str, str | int | bool | None]) -> str:
    """Return a path with a query; None leaves a name out."""
    rows = [
        (name, _MODES[value] if isinstance(value, bool) else value)
        for name, value in query.items()
        if value is not None
    ]
    return f"{path}?{urlencode(rows)}" if rows else path


def same_origin(base: Base, path: str, location: str) -> str | None:
    """Return where a redirect leads as a path on the same origin, None when it leaves it."""
    try:
        target = urlsplit(urljoin(f"{base.scheme}://{base.authority}{path}", location))
        port = target.port or _PORTS.get(target.scheme, 0)
    except ValueError:
        return None
    if target.username is not None or (target.scheme, target.hostname, port) != (
        base.scheme,
        base.host.lower(),
        base.port,
    ):
        return None
    return f"{target.path or '/'}?{target.query}" if target.query else target.path or "/"
