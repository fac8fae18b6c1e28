# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs on a Redis server, for queues that many machines share. The same moves and states as in a file.

The server must write each command to disk before it answers and must never evict: anything else loses jobs
at a kill, so it is refused. Its address may hold a password and is never shown.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from timmy.queue.clock import Clock, Watch
from timmy.queue.model import (
    BEAT_S,
    DEATHS_LIMIT,
    LEASE_S,
    RETAIN_S,
    SCHEMA,
    End,
    Job,
    Lease,
    NewJob,
    QueueError,
    QueueUnavailable,
    new_token,
    one_line,
)
from timmy.queue.redis_scripts import PRELUDE, SCRIPTS

if TYPE_CHECKING:
    import redis

_TEND_S = 1.0
_ANSWER_S = 5.0
_ZSETS = {"ready": "next", "waiting": "wait", "leased": "leased", "done": "done", "dead": "dead"}
_DURABLE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _fields(jobs: Iterable[NewJob]) -> list[Any]:
    found: list[Any] = []
    for job in jobs:
        found += [job.id, job.name, job.priority, max(_ms(job.at), 0), job.payload]
    return found


class RedisJobs:
    """A store of jobs on a server. Safe for threads, processes and forks."""

    def __init__(
        self,
        url: str,
        name: str = "timmy",
        *,
        lease_s: float = LEASE_S,
        beat_s: float = BEAT_S,
        clock: Clock | None = None,
    ) -> None:
        """Name the server and the queue on it; nothing is asked of it before the first call."""
        import redis  # noqa: PLC0415 - hosts without a shared queue need not have it
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        self.beat_s = beat_s
        self._lease_s = lease_s
        self._clock = clock or Clock()
        self._watch = Watch(self._clock, beat_s)
        self._tended = float("-inf")
        self._prefix = f"timmy:{{{name}}}:"
        self._error = redis.RedisError
        # Repeating is decided here, by what a call means, and not below.
        options: dict[str, Any] = {"socket_timeout": _ANSWER_S, "socket_connect_timeout": _ANSWER_S}
        try:
            self._server: redis.Redis = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options)
        except ValueError:
            raise QueueError("the address of the queue is no redis://HOST:PORT/NUMBER") from None
        where = self._server.connection_pool.connection_kwargs
        self._where = (
            f"redis {where.get('path') or '{}:{}'.format(where.get('host'), where.get('port', 6379))}"
        )
        self._scripts = {key: self._server.register_script(PRELUDE + text) for key, text in SCRIPTS.items()}
        self._judged = False

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            if not self._judged:
                self._judge()
                self._judged = True
            yield
        except self._error as error:
            # it may have been started anew, with other settings
            self._judged = False
            self._watch.disturbed()
            raise QueueUnavailable(f"{self._where}: {one_line(str(error))}") from None

    def _judge(self) -> None:
        """Refuse a server that forgets, and data of a later timmy."""
        for key, wanted in _DURABLE.items():
            found = {one.decode(): two.decode() for one, two in self._config(key).items()}.get(key, "unknown")
            if found != wanted:
                raise QueueError(
                    f"{self._where}: {key} is {found}, so a kill could lose jobs", f"set {key} {wanted}"
                )
        self._server.set(f"{self._prefix}schema", SCHEMA, nx=True)
        schema = int(self._server.get(f"{self._prefix}schema") or 0)
        if schema > SCHEMA:
            raise QueueError(
                f"{self._where}: schema {schema} is newer than this timmy knows ({SCHEMA})",
                "deploy the release that wrote it; nothing was changed",
            )

    def _config(self, key: str) -> dict[bytes, bytes]:
        found = self._server.execute_command("CONFIG GET", key, NEVER_DECODE=True)
        if isinstance(found, dict):
            return {_bytes(one): _bytes(two) for one, two in found.items()}
        return {_bytes(found[n]): _bytes(found[n + 1]) for n in range(0, len(found), 2)}

    def _run(self, script: str, *args: Any) -> Any:
        with self._told():
            return self._scripts[script](keys=[self._prefix], args=args)

    # --- moves ---

    def add(self, jobs: Iterable[NewJob]) -> int:
        """See Jobs."""
        return int(self._run("add", *_fields(jobs)))

    def claim(self) -> Lease | None:
        """See Jobs."""
        if self._clock.awake() - self._tended >= _TEND_S:
            self.tend()
        token = new_token()
        found = self._run("claim", token, _ms(self._lease_s))
        return None if not found else Lease(found[0].decode(), token, found[1])

    def renew(self, tokens: Sequence[str]) -> set[str]:
        """See Jobs."""
        return {token.decode() for token in self._run("renew", _ms(self._lease_s), *tokens)}

    def settle(self, lease: Lease, end: End) -> bool:
        """See Jobs. A call that is repeated because its answer got lost says True again."""
        payload = b"" if end.state == "done" else lease.payload if end.payload is None else end.payload
        head = (
            lease.id,
            lease.token,
            end.state,
            max(_ms(end.at), 0),
            payload,
            one_line(end.reason),
            int(end.failed),
        )
        puts = [part for pair in end.puts for part in pair]
        sizes = (len(end.puts), len(end.deletes))
        return bool(self._run("settle", *head, *sizes, *puts, *end.deletes, *_fields(end.jobs)))

    def tend(self) -> None:
        """See Jobs."""
        self._tended = self._clock.awake()
        self._run("tend", int(self._watch.long_enough()), DEATHS_LIMIT)

    # --- for people ---

    def counts(self) -> dict[str, int]:
        """See Jobs."""
        with self._told():
            return {key: int(self._server.zcard(self._prefix + zset)) for key, zset in _ZSETS.items()}

    def listing(self, states: Sequence[str], limit: int) -> list[Job]:
        """See Jobs."""
        found = []
        with self._told():
            zsets = [zset for key, zset in _ZSETS.items() if key.replace("waiting", "ready") in states]
            for zset in zsets:
                for one in self._server.zrange(
                    self._prefix + zset, 0, limit - 1, desc=zset in ("done", "dead")
                ):
                    key = one.decode()[17:] if zset == "next" else one.decode()
                    row = self._server.hgetall(f"{self._prefix}job:{key}")
                    if row:
                        found.append(_job(key, {name.decode(): value for name, value in row.items()}))
        return sorted(found, key=lambda job: -job.since)[:limit]

    def payloads(self, *, waiting: bool, limit: int | None) -> list[bytes]:
        """See Jobs."""
        zset, cut = ("wait", 0) if waiting else ("next", 17)
        with self._told():
            keys = self._server.zrange(self._prefix + zset, 0, -1 if limit is None else limit - 1)
            rows = (self._server.hget(f"{self._prefix}job:{key.decode()[cut:]}", "payload") for key in keys)
            return [row for row in rows if row is not None]

    def requeue(self, ids: Sequence[str]) -> list[str]:
        """See Jobs."""
        return [key.decode() for key in self._run("requeue", *ids)]

    def drop(self, ids: Sequence[str]) -> list[str]:
        """See Jobs."""
        return [key.decode() for key in self._run("drop", *ids)]

    def flush(self, *, waiting: bool) -> None:
        """See Jobs."""
        zset, cut = ("wait", 0) if waiting else ("next", 17)
        with self._told():
            keys = self._server.zrange(self._prefix + zset, 0, -1)
        for key in keys:
            self.drop([key.decode()[cut:]])

    def purge(self, retain_s: float = RETAIN_S) -> int:
        """See Jobs."""
        gone = took = int(self._run("purge", _ms(retain_s)))
        while took:
            took = int(self._run("purge", _ms(retain_s)))
            gone += took
        return gone

    # --- values ---

    def put(self, key: str, value: bytes, *, result: bool) -> None:
        """See Jobs."""
        self._run("put", key, value, int(result))

    def put_new(self, key: str, value: bytes) -> bool:
        """See Jobs."""
        with self._told():
            return bool(self._server.hsetnx(f"{self._prefix}kv", key, value))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See Jobs."""
        with self._told():
            values = self._server.hmget(f"{self._prefix}kv", list(keys))
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    def pop(self, key: str) -> bytes | None:
        """See Jobs."""
        value: bytes | None = self._run("pop", key)
        return value

    def results(self) -> Mapping[str, bytes]:
        """See Jobs."""
        with self._told():
            return {key.decode(): value for key, value in self._server.hgetall(f"{self._prefix}kv").items()}

    def forget(self) -> None:
        """See Jobs."""
        with self._told():
            self._server.delete(f"{self._prefix}kv", f"{self._prefix}results")

    def incr(self, key: str, amount: int) -> int:
        """See Jobs."""
        with self._told():
            return int(self._server.hincrby(f"{self._prefix}counters", key, amount))

    def uncount(self, key: str | None) -> None:
        """See Jobs."""
        with self._told():
            if key is None:
                self._server.delete(f"{self._prefix}counters")
            else:
                self._server.hdel(f"{self._prefix}counters", key)

    # --- locks ---

    def lock(self, name: str, token: str, ttl: float | None) -> bool:
        """See Jobs."""
        length = _ms(self._lease_s if ttl is None else ttl)
        return bool(self._run("lock", name, token, length, int(self._watch.long_enough())))

    def unlock(self, name: str, token: str) -> bool:
        """See Jobs."""
        return bool(self._run("unlock", name, token))

    def locked(self, name: str) -> bool:
        """See Jobs."""
        return bool(self._run("locked", name, int(self._watch.long_enough())))

    def close(self) -> None:
        """See Jobs."""
        # other threads may be in the middle of a call
        self._server.connection_pool.disconnect(inuse_connections=False)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _job(key: str, row: Mapping[str, bytes]) -> Job:
    return Job(
        id=key,
        name=row["name"].decode(),
        state=row["state"].decode(),
        at=float(row["at"]) / 1000,
        failures=int(row["failures"]),
        deaths=int(row["deaths"]),
        reason=row["reason"].decode(),
        since=float(row["since"]) / 1000,
    )
