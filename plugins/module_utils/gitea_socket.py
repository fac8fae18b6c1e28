# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection whose requests end by a deadline, however slowly the peer sends.

A socket's own timeout starts again with every byte that comes, so that a peer which sends one byte a second
keeps a reader for hours. Here each wait gets only what is left of the whole request's time.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from collections.abc import Callable
from typing import Any

from .gitea_url import Base

Clock = Callable[[], float]


class _TimedReader(io.RawIOBase):
    """The reading end of a socket; http.client reads headers and bodies through it."""

    def __init__(self, raw: Any, timed: TimedSocket) -> None:
        self._raw = raw
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._timed.allow()
        read: int | None = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class TimedSocket:
    """As much of a socket as http.client uses, with one deadline for all waits until the next is set."""

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        self._sock = sock
        self._clock = clock
        self._ends = clock()

    def end_at(self, ends: float) -> None:
        """Let every wait from now on end at this moment of the clock."""
        self._ends = ends

    def allow(self) -> None:
        """Give the next wait what is left. Raises TimeoutError when nothing is."""
        left = self._ends - self._clock()
        if left <= 0:
            raise TimeoutError("the request's time is over")
        self._sock.settimeout(left)

    def sendall(self, data: Any) -> None:
        """Send everything within what is left."""
        self.allow()
        self._sock.sendall(data)

    def makefile(self, *_mode: object) -> io.BufferedReader:
        """Return the reading end, in bytes whatever the mode."""
        return io.BufferedReader(_TimedReader(self._sock.makefile("rb", buffering=0), self), 65536)

    def idle(self) -> bool:
        """Tell whether the peer still holds the connection and has said nothing that we did not ask for."""
        self._sock.settimeout(0)
        try:
            self._sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close, as soon as what makefile gave is closed too."""
        self._sock.close()


def tls_context(ca_file: str | None, verify: bool) -> ssl.SSLContext:
    """Return how to speak TLS: verified against the system's or the given authorities, or not at all."""
    context = ssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Connection(http.client.HTTPConnection):
    """One HTTP/1.1 connection to the forge."""

    sock: Any

    def __init__(self, base: Base, context: ssl.SSLContext | None, clock: Clock) -> None:
        super().__init__(base.host, base.port)
        self._context = context
        self._clock = clock

    def open(self, timeout: float) -> None:
        """Connect and, for https, shake hands. Raises OSError."""
        sock = socket.create_connection((self.host, self.port), timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_hostname=self.host)
        except OSError:
            sock.close()
            raise
        self.sock = TimedSocket(sock, self._clock)

    def end_at(self, ends: float) -> None:
        """Let every wait from now on end at this moment of the clock."""
        self.sock.end_at(ends)

    def idle(self) -> bool:
        """Tell whether another request can go this way."""
        return self.sock is not None and self.sock.idle()
