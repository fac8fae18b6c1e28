# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to the forge and its reply, over one kept-alive connection that threads share.

The credentials go to the forge's own origin and nowhere else: a redirect is followed for GET only, and only
within that origin. Every way to fail comes out as an error of `gitea_errors`; what is retried is decided
in `gitea_retry`.
"""

from __future__ import annotations

import base64
import email.utils
import http.client
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeAlias

from .gitea_errors import (
    REASON_LENGTH,
    AnswerError,
    LostError,
    Secrets,
    UnreachableError,
    answer_error,
    one_line,
)
from .gitea_socket import Clock, Connection, tls_context
from .gitea_url import Base, same_origin

AGENT = "timmy-config"
HOPS = 3
ERROR_BODY = 64 * 1024
SNIPPET_BODY = 8192
PIECE = 256 * 1024
_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.DOTALL | re.IGNORECASE)
_PRINTABLE = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Limits:
    """Seconds to connect, for a whole request, for one with git work in it; bytes of an answer."""

    connect_s: float = 10.0
    request_s: float = 30.0
    slow_s: float = 180.0
    body: int = 32 * 1024 * 1024


@dataclass(frozen=True)
class Credentials:
    """What goes into the Authorization header: a token, or user and password; nothing for anonymous."""

    token: str = ""
    user: str = ""
    password: str = ""
    otp: str = ""

    def __post_init__(self) -> None:
        if self.token and not _PRINTABLE.fullmatch(self.token):
            raise ValueError("the forge's token holds a space or a character that no token has")
        if self.token and self.user:
            raise ValueError("give the forge a token, or a user and password, not both")
        if bool(self.user) != bool(self.password):
            raise ValueError("user and password of the forge only go together")

    def __repr__(self) -> str:
        kind = "token" if self.token else f"password of {self.user}" if self.user else "none"
        return f"Credentials({kind})"

    def headers(self) -> dict[str, str]:
        """Return the headers that prove who asks."""
        if self.token:
            return {"Authorization": f"token {self.token}"}
        if not self.user:
            return {}
        made = {"Authorization": f"Basic {self._basic()}"}
        return {**made, "X-Gitea-OTP": self.otp} if self.otp else made

    def secrets(self) -> Secrets:
        """Return what must appear in no message."""
        return Secrets(self.token, self.password, self._basic() if self.user else "")

    def _basic(self) -> str:
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


@dataclass(frozen=True)
class Reply:
    """A success: status, headers by lower-case name, body; `clean` makes its text fit for a message."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    clean: Callable[[str], str] = field(default=one_line, repr=False, compare=False)

    @property
    def empty(self) -> bool:
        """Tell whether nothing was said, not even null."""
        return not self.body.strip()

    def data(self, method: str, path: str) -> Any:
        """Return the JSON of the body, None for an empty one. Raises LostError when there is none to read."""
        if self.empty:
            return None
        if "json" not in self.headers.get("content-type", "json").lower():
            said = self.clean(snippet(self.body))
            raise LostError(method, path, f"no JSON in the answer: {said}", self.status)
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise LostError(method, path, "the answer's JSON is broken or cut off", self.status) from None


class ContentError(Exception):
    """What is to be sent cannot be read as announced; to try again would not help."""


@dataclass(frozen=True)
class Content:
    """Bytes to send as they are: how to open them, anew for each attempt, how many, and of what type."""

    open: Callable[[], BinaryIO]
    length: int
    kind: str = "application/octet-stream"


Body: TypeAlias = "bytes | Content | None"
Sink = Callable[[bytes], object]


class _Sending:
    """Reads exactly what was announced: a file that grows or shrinks meanwhile would break the request."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        try:
            data = self._stream.read(wanted) if wanted else b""
        except OSError as error:
            raise ContentError(str(error)) from error
        if wanted and not data:
            raise ContentError("it became shorter while it was sent")
        self._left -= len(data)
        return data


class Transport:
    """The connection to one forge with one account's credentials. Safe in threads: requests take turns."""

    def __init__(
        self,
        base: Base,
        credentials: Credentials,
        *,
        ca_file: str | None = None,
        verify: bool = True,
        limits: Limits | None = None,
        sudo: str = "",
        clock: Clock = time.monotonic,
    ) -> None:
        self.base = base
        self.limits = limits or Limits()
        self.secrets = credentials.secrets()
        self.requests = 0
        self.connections = 0
        self._clock = clock
        self._context = tls_context(ca_file, verify) if base.scheme == "https" else None
        self._headers = {
            "Host": base.authority,
            "User-Agent": AGENT,
            "Accept": "application/json",
            **credentials.headers(),
            **({"Sudo": sudo} if sudo else {}),
        }
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def __repr__(self) -> str:
        return f"Transport({self.base})"

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        with self._lock:
            self._drop()

    def send(self, method: str, path: str, data: Any = None, *, slow: bool = False) -> Reply:
        """Return the reply to one request below the API's base.

        `path` begins with a slash and holds its query; `data` goes as JSON unless it is None, or as it is
        when it is a `Content`. Raises a ForgeError for everything but a success, and ContentError.
        """
        body = data if isinstance(data, Content) or data is None else json.dumps(data).encode()
        return self._sent(method, path, self.base.prefix + path, body, slow=slow)

    def fetch(self, path: str, sink: Sink) -> None:
        """GET something beside the API and hand its bytes to `sink` as they come, however many.

        After an error the sink may have had a part of them.
        """
        self._sent("GET", path, self.base.site + path, None, slow=True, sink=sink)

    def _sent(
        self, method: str, path: str, target: str, body: Body, *, slow: bool, sink: Sink | None = None
    ) -> Reply:
        ends_s = self.limits.slow_s if slow else self.limits.request_s
        with self._lock:
            ends = self._clock() + ends_s
            for _hop in range(HOPS + 1):
                status, headers, raw = self._exchange(method, path, target, body, ends, sink=sink)
                if 200 <= status < 300:
                    return Reply(status, headers, raw, self.secrets.clean)
                onward = self._onward(method, status, target, headers)
                if onward is None:
                    break
                target = onward
        raise self._refusal(method, path, status, headers, raw)

    def _onward(self, method: str, status: int, target: str, headers: Mapping[str, str]) -> str | None:
        """Where to ask again: for a GET that is sent on within this origin."""
        if method != "GET" or status not in (301, 302, 303, 307, 308):
            return None
        return same_origin(self.base, target, headers.get("location", ""))

    def _refusal(
        self, method: str, path: str, status: int, headers: Mapping[str, str], raw: bytes
    ) -> AnswerError:
        clean = self.secrets.clean
        reason = clean(
            reason_of(headers.get("content-type", ""), raw) or http.client.responses.get(status, "")
        )
        location = clean(headers.get("location", ""))
        wait = retry_after(headers)
        return answer_error(method, clean(path), status, reason, location=location, retry_after=wait)

    def _exchange(
        self, method: str, path: str, target: str, body: Body, ends: float, *, sink: Sink | None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request and read its answer. Raises UnreachableError and LostError."""
        connection = self._connected(method, path, ends)
        self.requests += 1
        try:
            connection.end_at(ends)
            self._put(connection, method, target, body)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            if sink is not None and 200 <= response.status < 300:
                return response.status, told, self._pour(response, sink)
            return response.status, told, self._read(response)
        except TimeoutError:
            self._drop()
            raise LostError(method, path, "no whole answer within the time limit", timed_out=True) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._drop()
            raise LostError(method, path, f"the connection broke: {self._said(error)}") from None
        except BaseException:
            # An interrupt in the middle leaves half an answer on the connection.
            self._drop()
            raise

    def _put(self, connection: Connection, method: str, target: str, body: Body) -> None:
        """Send the request."""
        if body is None:
            connection.request(method, target, None, self._headers)
        elif isinstance(body, bytes):
            connection.request(method, target, body, {**self._headers, "Content-Type": "application/json"})
        else:
            sized = {"Content-Type": body.kind, "Content-Length": str(body.length)}
            try:
                stream = body.open()
            except OSError as error:
                raise ContentError(str(error)) from error
            with stream:
                connection.request(method, target, _Sending(stream, body.length), {**self._headers, **sized})

    def _pour(self, response: http.client.HTTPResponse, sink: Sink) -> bytes:
        """Hand the body on piece by piece; a body that ends too early is an error."""
        left = response.length
        while data := response.read(PIECE):
            left = None if left is None else left - len(data)
            sink(data)
        if left:
            raise http.client.IncompleteRead(b"", left)
        if response.will_close:
            self._drop()
        return b""

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        """The whole body; of an error at most what its reason needs."""
        limit = self.limits.body if 200 <= response.status < 300 else ERROR_BODY
        length = response.length
        if length is not None and length <= limit:
            raw = response.read()
        else:
            raw = response.read(limit + 1)
            if len(raw) > limit:
                self._drop()
                if limit == self.limits.body:
                    raise http.client.HTTPException(f"the answer has more than {limit} bytes")
        if response.will_close:
            self._drop()
        return raw

    def _connected(self, method: str, path: str, ends: float) -> Connection:
        """The open connection, or a new one where the forge has closed it meanwhile."""
        found = self._connection
        if found is not None and found.idle():
            return found
        self._drop()
        made = Connection(self.base, self._context, self._clock)
        try:
            made.open(max(0.001, min(self.limits.connect_s, ends - self._clock())))
        except (OSError, UnicodeError) as error:
            made.close()
            wrong = isinstance(error, ssl.SSLCertVerificationError)
            said = f"no connection to {self.base.authority}: {self._said(error)}"
            raise UnreachableError(method, path, said, permanent=wrong) from None
        self.connections += 1
        self._connection = made
        return made

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _said(self, error: BaseException) -> str:
        return self.secrets.clean(str(error)) or type(error).__name__


def reason_of(content_type: str, raw: bytes) -> str:
    """Return why the forge refused: of JSON its message, of a page its title or the beginning of its text."""
    if "json" in content_type.lower():
        try:
            return _message(json.loads(raw))
        except (ValueError, RecursionError):
            return snippet(raw)
    return snippet(raw)


def _message(data: Any) -> str:
    """The text in an error object; those of Gitea differ from route to route."""
    if not isinstance(data, Mapping):
        return ""
    said = [data.get(name) for name in ("message", "error", "Err", "StdErr")]
    more = data.get("errors") or data.get("invalidTopics")
    said += more if isinstance(more, list) else []
    return "; ".join(dict.fromkeys(one.strip() for one in said if isinstance(one, str) and one.strip()))


def snippet(raw: bytes) -> str:
    """Return the title of a body that is no JSON, or all its text, without tags.

    It is cut to a length by who cleans it: half a secret would not be known for one.
    """
    text = raw[:SNIPPET_BODY].decode("utf-8", "replace")
    if len(raw) > SNIPPET_BODY:
        whole, _space, half = text.rpartition(" ")
        text = whole if len(half) < REASON_LENGTH else text
    title = _TITLE.search(text)
    return " ".join(_TAGS.sub(" ", title.group(1) if title else text).split())


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the forge asks us to wait, None when it does not.

    A date is compared with the answer's own Date: our clock may be wrong, and theirs as well.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    then, now = http_time(value), http_time(headers.get("date", ""))
    return max(0.0, then - now) if then is not None and now is not None else None


def http_time(value: str) -> float | None:
    """Return a date of an HTTP header as a Unix time, None when it is none."""
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
