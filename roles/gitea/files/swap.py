# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One upgrade of the forge, from stop to healthy or back, as one program of the host.

It goes on when the controller goes away. What it is about to do stands in a file, so that a run after a power
cut first takes back what never became healthy. The argument is JSON, see `Swap`; so is the answer.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPT, ETC, DATA = Path("/opt/gitea"), Path("/etc/gitea"), Path("/var/lib/gitea")
UNIT_FILE = Path("/etc/systemd/system/gitea.service")
UNIT = "gitea.service"
MARKER = OPT / "upgrade.json"
ROOM_SPARE = 64 * 1024 * 1024
POLL_S = 0.5
# A copy knows nothing of the tables that a newer release has made.
DROP_TABLES = """
do $$ declare one record; begin
  for one in select schemaname, tablename from pg_tables
    where tableowner = current_user and schemaname = any (current_schemas(false))
  loop execute format('drop table if exists %I.%I cascade', one.schemaname, one.tablename); end loop;
end $$"""


class SwapError(Exception):
    """What went wrong, in one line for the operator."""


@dataclass(frozen=True)
class Swap:
    """What is asked: the release to go to, and how to know that it is well. Without one it is only waited."""

    to: str
    health: str
    timeout_s: int
    user: str
    backup_dir: str
    keep: int
    postgres: dict[str, str] | None
    pgpass: str


def run(
    *argv: str,
    env: dict[str, str] | None = None,
    user: str = "",
    read: Path | None = None,
    save: Path | None = None,
) -> str:
    """Run a program of the host, return its output. Root opens the files ``read`` and ``save`` for it.

    :raises SwapError: with its last line of errors.
    """
    if user:
        argv = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--", *argv)
    around = {**os.environ, **(env or {})}
    with ExitStack() as files:
        source = files.enter_context(read.open("rb")) if read else subprocess.DEVNULL
        target = files.enter_context(save.open("wb")) if save else subprocess.PIPE
        done = subprocess.run(
            argv,
            stdin=source,
            stdout=target,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=around,
            cwd="/",
        )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise SwapError(f"{Path(argv[0]).name} {argv[1]} ended with {done.returncode}: {said[-1][:300]}")
    return done.stdout or ""


def write(path: Path, value: Any) -> None:
    """Write JSON so that a reader finds all of it or none."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as stream:
        json.dump(value, stream)
        stream.flush()
        os.fsync(stream.fileno())
    beside.rename(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make renames in a folder last."""
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def size(path: Path) -> int:
    """Return the bytes that a tree takes."""
    return int(run("du", "--summarize", "--block-size=1", str(path)).split()[0]) if path.exists() else 0


def current() -> str:
    """Return the release in force."""
    link = OPT / "current"
    return Path(os.readlink(link)).name if link.is_symlink() else ""


def point(release: str) -> None:
    """Put a release in force: one rename."""
    if not (OPT / release / "gitea").exists():
        raise SwapError(f"release {release} is not on this host; run the role again with its version")
    beside = OPT / ".current.new"
    beside.unlink(missing_ok=True)
    beside.symlink_to(release)
    beside.rename(OPT / "current")
    sync(OPT)


def stop() -> None:
    run("systemctl", "stop", UNIT)


def start() -> None:
    run("systemctl", "daemon-reload")
    subprocess.run(["systemctl", "reset-failed", UNIT], capture_output=True, check=False)
    run("systemctl", "start", UNIT)


def answers(url: str) -> bool:
    """Ask the server whether it is well. The certificate is another one's business."""
    try:
        context = ssl._create_unverified_context()  # noqa: S323
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310 - of our own making
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def restarts() -> tuple[str, int]:
    """Return the state of the unit and how often systemd started it anew."""
    shown = run("systemctl", "show", "--property=ActiveState,NRestarts", UNIT).splitlines()
    found = dict(line.partition("=")[::2] for line in shown)
    return found.get("ActiveState", ""), int(found.get("NRestarts") or 0)


def healthy(url: str, timeout_s: int) -> str:
    """Wait for the server; return why it is not well, or nothing."""
    until, first = time.monotonic() + timeout_s, restarts()[1]
    while time.monotonic() < until:
        if answers(url):
            return ""
        state, count = restarts()
        if state == "failed" or count >= first + 3:
            return "it died as it started"
        time.sleep(POLL_S)
    return f"it did not answer within {timeout_s} s"


def room(swap: Swap) -> None:
    """Refuse what could not be taken back for want of space, before anything stops."""
    need = size(DATA) + size(ETC)
    Path(swap.backup_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    places = [(Path(swap.backup_dir), need), (DATA, need)]
    same = os.stat(swap.backup_dir).st_dev == os.stat(DATA).st_dev
    for place, amount in places:
        wanted = amount * (2 if same else 1) + ROOM_SPARE
        if shutil.disk_usage(place).free < wanted:
            raise SwapError(
                f"an upgrade needs {wanted // 1048576} MiB free at {place} for the copy and the way back"
            )


def database(swap: Swap) -> tuple[list[str], dict[str, str]]:
    """Return how PostgreSQL's programs reach the database."""
    given = swap.postgres or {}
    host, _colon, port = given["host"].partition(":")
    found = ["--no-password", f"--host={host}", f"--username={given['user']}", f"--dbname={given['name']}"]
    return found + ([f"--port={port}"] if port else []), ({"PGPASSFILE": swap.pgpass} if swap.pgpass else {})


def back_up(swap: Swap, old: str) -> Path:
    """Copy the stopped forge: program's files, database, repositories. Return where the copy is."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    whole = Path(swap.backup_dir) / f"{stamp}-{old}"
    part = whole.with_name(f".{whole.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    # Files that wait to be put in force belong to the new release.
    spare = [f"--exclude={ETC}/*.next".replace("=/", "="), f"--exclude={DATA}/.replaced-*".replace("=/", "=")]
    paths = [str(path).lstrip("/") for path in (DATA, ETC, UNIT_FILE)]
    tar = ["tar", "--create", "--numeric-owner", "--directory=/", f"--file={part / 'forge.tar'}"]
    run(*tar, *spare, *paths)
    if swap.postgres:
        options, env = database(swap)
        dump = ["pg_dump", "--format=plain", "--clean", "--if-exists", *options]
        run(*dump, env=env, user=swap.user, save=part / "database.sql")
    write(part / "about.json", {"release": old, "to": swap.to, "at": stamp})
    run("sync", "--file-system", str(part))
    part.rename(whole)
    sync(whole.parent)
    return whole


def move_all(source: Path, target: Path) -> None:
    """Move what a folder holds, our own working folders excepted. The folder may be a mount, so it stays."""
    target.mkdir(mode=0o700, exist_ok=True)
    for path in source.iterdir():
        if not path.name.startswith((".replaced-", ".restored")):
            path.rename(target / path.name)


def restore(swap: Swap, copy: Path, *, keep_newer: bool) -> str:
    """Put a copy in the place of what is there; return where that went, if it is kept."""
    beside = DATA / ".restored"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700)
    tar = ["tar", "--extract", "--numeric-owner", "--preserve-permissions", f"--file={copy / 'forge.tar'}"]
    run(*tar, f"--directory={beside}")
    aside = DATA / time.strftime(".replaced-%Y%m%dT%H%M%SZ", time.gmtime())
    move_all(DATA, aside)
    move_all(beside / str(DATA).lstrip("/"), DATA)
    for path in (beside / str(ETC).lstrip("/")).iterdir():
        if path.is_file():  # folders of it hold secrets and tokens, which no upgrade changes
            shutil.copy2(path, ETC / f".{path.name}.new")
            shutil.chown(ETC / f".{path.name}.new", path.stat().st_uid, path.stat().st_gid)
            (ETC / f".{path.name}.new").rename(ETC / path.name)
    shutil.copy2(beside / str(UNIT_FILE).lstrip("/"), UNIT_FILE)
    shutil.rmtree(beside)
    if swap.postgres:
        options, env = database(swap)
        sql = ["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction"]
        env["PGOPTIONS"] = "--client-min-messages=warning"
        sql += [f"--command={DROP_TABLES}", "--file=-", *options]
        run(*sql, env=env, user=swap.user, read=copy / "database.sql")
    if keep_newer:
        return str(aside)
    shutil.rmtree(aside, ignore_errors=True)
    return ""


def go_back(swap: Swap, marker: dict[str, str], *, keep_newer: bool) -> str:
    """Take an upgrade back, data included; return where newer data was put aside, if it was."""
    stop()
    kept = restore(swap, Path(marker["copy"]), keep_newer=keep_newer)
    point(marker["from"])
    start()
    wrong = healthy(swap.health, swap.timeout_s)
    if wrong:
        raise SwapError(
            f"release {marker['from']} was put back from {marker['copy']},"
            f" but {wrong}; see: journalctl -u {UNIT}"
        )
    MARKER.unlink()
    return kept


def settle_old(swap: Swap) -> str:
    """End what an earlier run left: it became healthy after all, or it is taken back."""
    if not MARKER.exists():
        return ""
    marker = json.loads(MARKER.read_text(encoding="utf-8"))
    if current() == marker["to"] and answers(swap.health):
        MARKER.unlink()
        return ""
    return go_back(swap, marker, keep_newer=True)


def place() -> None:
    """Put the files in force that wait beside those of the old release."""
    if (ETC / "app.ini.next").exists():
        (ETC / "app.ini.next").rename(ETC / "app.ini")
    if (ETC / "gitea.service.next").exists():
        shutil.copyfile(ETC / "gitea.service.next", UNIT_FILE.with_name(".gitea.service.new"))
        UNIT_FILE.with_name(".gitea.service.new").chmod(0o644)
        UNIT_FILE.with_name(".gitea.service.new").rename(UNIT_FILE)
        (ETC / "gitea.service.next").unlink()


def prune(swap: Swap, old: str) -> None:
    """Keep the newest copies, and the programs of this release and the one before."""
    copies = sorted(path for path in Path(swap.backup_dir).iterdir() if (path / "about.json").exists())
    for copy in copies[: max(0, len(copies) - swap.keep)]:
        shutil.rmtree(copy)
    for folder in OPT.glob("*-*"):
        if folder.is_dir() and not folder.is_symlink() and folder.name not in {swap.to, old}:
            shutil.rmtree(folder)


def last_words() -> str:
    """Return the last thing that the server said, short and on one line."""
    argv = ["journalctl", "--unit", UNIT, "--lines", "40", "--output", "cat", "--no-pager"]
    said = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False).stdout
    lines = [line for line in said.splitlines() if "[F]" in line or "[E]" in line or "error" in line.lower()]
    return "".join(char for char in (lines or [""])[-1] if char.isprintable())[:300]


def upgrade(swap: Swap) -> dict[str, Any]:
    """Go from the release in force to the one that is asked for."""
    kept = settle_old(swap)
    old = current()
    if old == swap.to:
        return {"from": old, "to": swap.to, "copy": "", "aside": kept}
    if not (OPT / swap.to / "gitea").exists():
        raise SwapError(f"release {swap.to} is not on this host")
    room(swap)
    began = time.monotonic()
    stop()
    try:
        copy = back_up(swap, old)
    except BaseException:
        start()  # nothing was changed yet
        raise
    marker = {"from": old, "to": swap.to, "copy": str(copy)}
    write(MARKER, marker)
    wrong = ""
    try:
        place()
        point(swap.to)
        start()
    except (SwapError, OSError) as error:
        wrong = str(error)
    wrong = wrong or healthy(swap.health, swap.timeout_s)
    if wrong:
        said = last_words()
        go_back(swap, marker, keep_newer=False)
        raise SwapError(
            f"release {swap.to} was taken back: {wrong}; {old} runs again with its data."
            f" The last error in its journal: {said or 'none'}"
        )
    MARKER.unlink()
    prune(swap, old)
    took = round(time.monotonic() - began, 1)
    return {"from": old, "to": swap.to, "copy": str(copy), "aside": kept, "seconds": took}


def wait(swap: Swap) -> dict[str, Any]:
    """Wait for the release in force. :raises SwapError: when it does not become healthy."""
    wrong = healthy(swap.health, swap.timeout_s)
    if wrong:
        raise SwapError(f"{wrong}. The last error in its journal: {last_words() or 'none'}")
    return {}


def main(text: str) -> int:
    """Run the swap alone and to its end."""
    for number in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    with open("/run/gitea-swap.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            swap = Swap(**json.loads(text))
            print(json.dumps(upgrade(swap) if swap.to else wait(swap)))
        except (SwapError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
