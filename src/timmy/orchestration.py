# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Huey instance of this process, and the queue it stands on.

Which queue: `TIMMY_QUEUE_URL` where a unit sets it (an address with a password belongs into an env file),
else the queue of the user who runs this, `~/.timmy/queue.db`. A queue is a path, `sqlite:///PATH`, or
`redis://…`. The fleet's own queue is `queue_url` of the settings.

Importable without Huey: then tasks are plain functions, and enqueueing one says what is missing.
"""

# ruff: noqa: PLC0415 - Huey and Redis are imported where they are used, as most commands use neither

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from timmy.errors import NotConfigured
from timmy.queue.model import Jobs, QueueError

if TYPE_CHECKING:
    from timmy.queue.durable import DurableHuey

URL_VARIABLE = "TIMMY_QUEUE_URL"
_REDIS = ("redis://", "rediss://", "unix://")


def queue_url() -> str:
    """Return the address of the queue that this process uses."""
    return os.environ.get(URL_VARIABLE) or str(Path.home() / ".timmy" / "queue.db")


def is_server(url: str) -> bool:
    """Return whether a queue is on a Redis server."""
    return url.startswith(_REDIS)


def queue_path(url: str) -> Path:
    """Return the file of a queue that is one; the address itself is not repeated, it may hold a password."""
    path = url.removeprefix("sqlite://")
    if not path.startswith("/"):
        raise QueueError("a queue is an absolute path, sqlite:///PATH or redis://HOST", f"set {URL_VARIABLE}")
    return Path(path)


def open_jobs(url: str, name: str = "timmy") -> Jobs:
    """Return the store behind an address; nothing is opened before its first call."""
    if is_server(url):
        if find_spec("redis") is None:
            raise missing("redis")
        from timmy.queue.redis_jobs import RedisJobs

        return RedisJobs(url, name)
    from timmy.queue.sqlite_jobs import SqliteJobs

    return SqliteJobs(queue_path(url))


def missing(package: str) -> NotConfigured:
    """Return the error for a package that this interpreter lacks."""
    return NotConfigured(
        f"the queue needs {package}, which this Python has not", "use the runtime environment of the queue"
    )


def instance(url: str | None = None, name: str = "timmy") -> DurableHuey | WithoutHuey:
    """Return Huey on the queue of this process."""
    if find_spec("huey") is None:
        return WithoutHuey()
    from timmy.queue.durable import DurableHuey

    return DurableHuey(name, open_jobs(url or queue_url(), name))


def crontab(**fields: str) -> Callable[[Any], bool]:
    """Return Huey's crontab, strict; without Huey nothing is ever due."""
    if find_spec("huey") is None:
        return lambda _moment: False
    from huey import crontab as huey_crontab

    found: Callable[[Any], bool] = huey_crontab(strict=True, **fields)
    return found


class WithoutHuey:
    """What tasks are declared on where Huey is missing: they stay callable as functions, and no more."""

    def task(self, **_options: Any) -> Callable[[Callable[..., Any]], PlainTask]:
        """Keep the function."""
        return PlainTask

    def periodic_task(
        self, _when: Callable[[Any], bool], **_options: Any
    ) -> Callable[[Callable[..., Any]], PlainTask]:
        """Keep the function."""
        return PlainTask

    def __getattr__(self, _name: str) -> NoReturn:
        """Refuse the rest in one line."""
        raise missing("huey")


class PlainTask:
    """A task without a queue."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Keep the function."""
        self.func = self.call_local = function
        self.__doc__ = function.__doc__

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse to enqueue."""
        raise missing("huey")

    s = schedule = map = __call__
