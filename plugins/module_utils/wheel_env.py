# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A root-owned Python environment made of exactly the wheels that a lock names: no index, no python3-venv.

Two halves: the controller *bundles* the wheels of a lock into one archive, a host *builds* from it.

A built environment is complete exactly when its stamp exists: the stamp appears last, after everything else
reached the disk. A directory that carries our building mark (or nothing at all) is the rest of a killed build
and is made again; anything else without a stamp is somebody else's and is refused. An environment cannot be
built beside and renamed into place, because its scripts carry their absolute path; so it is built in place
under the mark, and what stood there before is renamed away in one step first.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import time
import typing as t
from pathlib import Path

SCHEMA = 1
STAMP = ".timmy-wheel-env.json"
MARK = ".timmy-wheel-env.building"
LOCK_WAIT_S = 300.0
_LINE = re.compile(
    r"^(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)==(?P<version>[A-Za-z0-9.!+_-]+)"
    r" --hash=sha256:(?P<sha256>[0-9a-f]{64})$"
)
_DIGEST = re.compile(r"^[0-9a-f]{64}$")
_TAG = re.compile(r"^cp(?P<major>\d)(?P<minor>\d+)-(?P<arch>[a-z0-9_]+)$")
# pip must not read a host's or a user's settings, and no proxy or index may matter.
_CLEAN_ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "PIP_CONFIG_FILE": os.devnull}


class WheelEnvError(Exception):
    """Something the operator has to know; the text is one line."""


class Requirement(t.NamedTuple):
    """One line of a lock."""

    name: str
    version: str
    sha256: str

    def line(self) -> str:
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


class State(t.NamedTuple):
    """What stands at the path: nothing, a complete environment, a broken one, or something foreign."""

    kind: str  # absent | complete | partial | foreign
    lock: str = ""
    python_version: str = ""
    packages: int = 0


def parse_lock(text: str) -> list[Requirement]:
    """Read a lock; every line that is no comment must name one distribution and one wheel."""
    found: dict[str, Requirement] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.match(line.strip())
        if match is None:
            raise WheelEnvError(f"lock line {number} is not `name==version --hash=sha256:…`")
        requirement = Requirement(match["name"], match["version"], match["sha256"])
        if requirement.name in found:
            raise WheelEnvError(f"lock line {number} names {requirement.name} a second time")
        found[requirement.name] = requirement
    if "pip" not in found:
        raise WheelEnvError("the lock does not name pip, which is run out of its own wheel")
    return list(found.values())


def lock_digest(value: str) -> str:
    """Return the identity of a lock: of its text, or the digest itself where only that was handed over."""
    return value if _DIGEST.match(value) else hashlib.sha256(value.encode("utf-8")).hexdigest()


def packages_of(requirements: t.Iterable[Requirement]) -> list[Requirement]:
    """Leave out pip: it does the work but is not installed, so nothing can add packages with it later."""
    return [requirement for requirement in requirements if requirement.name != "pip"]


def python_info(python: str) -> tuple[str, str]:
    """Ask an interpreter for its version and return it with the lock tag of this machine."""
    code = "import platform, sys; print(platform.python_version(), '%d%d' % sys.version_info[:2])"
    done = _run([python, "-I", "-c", code], "ask the interpreter for its version")
    version, short = done.split()
    return version, f"cp{short}-{platform.machine()}"


def pick(locks: dict[str, str], tag: str) -> str:
    """Choose the lock for a Python and architecture, or say which ones exist."""
    try:
        return locks[tag]
    except KeyError:
        known = ", ".join(sorted(locks))
        raise WheelEnvError(f"no wheel set for {tag} (there are: {known})") from None


# --- what stands on a host ---


def read_state(path: Path) -> State:
    """Look at an environment without changing anything. A few directory reads, no walk."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        return State("foreign")
    if not path.exists():
        return State("absent")
    stamp = path / STAMP
    try:
        data = json.loads(stamp.read_text(encoding="utf-8"))
        state = State("complete", data["lock"], data["python"], data["packages"])
        schema = data["schema"]
    except FileNotFoundError:
        names = {entry.name for entry in path.iterdir()}
        return State("partial" if not names or MARK in names else "foreign")
    except (ValueError, KeyError, TypeError):
        return State("partial")
    if schema != SCHEMA or not _looks_whole(path, state):
        return state._replace(kind="partial")
    return state


def _looks_whole(path: Path, state: State) -> bool:
    """Notice the coarse damage that a stamp cannot know of: a package or the interpreter taken away."""
    short = ".".join(state.python_version.split(".")[:2])
    try:
        found = sum(
            entry.name.endswith(".dist-info")
            for entry in (path / "lib" / f"python{short}" / "site-packages").iterdir()
        )
    except OSError:
        return False
    return found == state.packages and os.access(path / "bin" / "python", os.X_OK)


def verdict(state: State, digest: str, python_version: str, path: Path, replace: bool) -> str:
    """Decide: `keep`, `build`, or raise because only the operator may decide."""
    if state.kind == "foreign":
        raise WheelEnvError(f"{path} exists and was not made by this module; move it away first")
    if state.kind != "complete":
        return "build"
    same_python = state.python_version.split(".")[:2] == python_version.split(".")[:2]
    if state.lock == digest and same_python:
        return "keep"
    if replace:
        return "build"
    what = "another lock" if same_python else f"Python {state.python_version}"
    raise WheelEnvError(
        f"{path} was made from {what}; choose another path, or stop what runs from it and set replace"
    )


# --- building ---


def build(
    path: Path, lock: str, archive: Path, python: str, python_version: str, *, consume: bool = False
) -> int:
    """Make the environment at the path and return its number of packages. The caller has decided to build.

    What stood there is moved aside and comes back when the build fails; after a kill the next run sees the
    mark and starts again. With consume, the archive goes before the stamp appears: no kill leaves it behind.
    """
    requirements = parse_lock(lock)
    old = _hidden(path, "old")
    if path.exists():
        # After a kill the last good one may still stand aside; the torn one must not take its place.
        if old.exists() and read_state(path).kind == "partial":
            _discard(path)
        else:
            _wipe(old)
            path.rename(old)
    try:
        path.mkdir(mode=0o755)
        path.chmod(0o755)
        (path / MARK).touch(mode=0o644)
        wheels = path / ".wheels"
        files = unpack(archive, requirements, wheels)
        _run([python, "-m", "venv", "--without-pip", str(path)], "make the virtual environment")
        wanted = packages_of(requirements)
        listing = wheels / "lock.txt"
        listing.write_text("".join(f"{item.line()}\n" for item in wanted), encoding="utf-8")
        interpreter = str(path / "bin" / "python")
        _run(
            [
                interpreter, "-I", f"{files['pip']}/pip", "install", "--quiet", "--no-input", "--no-index",
                "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-compile", "--require-hashes",
                "--disable-pip-version-check", "--root-user-action", "ignore",
                "--find-links", str(wheels), "-r", str(listing),
            ],
            "install the wheels",
        )  # fmt: skip
        # Some packages ship templates that are no valid Python; those stay uncompiled, nothing imports them.
        _run(
            [interpreter, "-I", "-m", "compileall", "-qq", "-j", "0", str(path / "lib")],
            "compile",
            check=False,
        )
        shutil.rmtree(wheels)
        _take_write_bits(path)
    except BaseException:
        _discard(path)
        if old.exists():
            old.rename(path)
        raise
    if consume:
        archive.unlink()
    _finish(path, lock_digest(lock), python_version, len(wanted))
    sweep(path)
    return len(wanted)


def unpack(archive: Path, requirements: list[Requirement], into: Path) -> dict[str, Path]:
    """Take the wheels out of the archive, each checked against the lock; return them by distribution name."""
    wanted = {item.sha256: item for item in requirements}
    into.mkdir(mode=0o700)
    found: dict[str, Path] = {}
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.isreg() else None
                if stream is None or "/" in member.name or not member.name.endswith(".whl"):
                    raise WheelEnvError(f"the archive holds something that is no wheel: {member.name!r}")
                target = into / member.name
                digest = _copy(stream, target)
                if digest not in wanted:
                    raise WheelEnvError(f"{member.name} is not the wheel that the lock names")
                found[wanted[digest].name] = target
    except (OSError, tarfile.TarError) as error:
        raise WheelEnvError(f"cannot read the archive {archive}: {error}") from error
    missing = sorted(item.name for item in requirements if item.name not in found)
    if missing:
        raise WheelEnvError(f"the archive lacks wheels of the lock: {', '.join(missing)}")
    return found


def _copy(stream: t.IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("wb") as out:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _take_write_bits(path: Path) -> None:
    """Make sure that nobody but the owner can write anywhere below, whatever modes the wheels carried."""
    for folder, _subfolders, names in os.walk(path):
        for name in (".", *names):
            item = os.path.join(folder, name)
            mode = os.lstat(item).st_mode
            if not os.path.islink(item) and mode & 0o022:
                os.chmod(item, mode & 0o7755)


def _finish(path: Path, digest: str, python_version: str, packages: int) -> None:
    """Write the stamp after all else is on the disk: a power cut must not leave a stamp over torn files."""
    os.sync()
    stamp = {"schema": SCHEMA, "lock": digest, "python": python_version, "packages": packages}
    write_durably(path / MARK, json.dumps(stamp, sort_keys=True) + "\n")
    # The mark becomes the stamp in one step: at no moment does the directory carry neither.
    (path / MARK).rename(path / STAMP)
    _fsync_dir(path)


def write_durably(path: Path, text: str) -> None:
    """Replace a small file so that after a kill or power cut it is the old one or the new one, whole."""
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), 0o644)
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)
    _fsync_dir(path.parent)


def _fsync_dir(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hidden(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.timmy-{what}")


def _wipe(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _discard(path: Path) -> None:
    """Remove a tree by way of one rename: half a tree under its real name could look like a foreign one."""
    trash = _hidden(path, "trash")
    _wipe(trash)
    if path.exists():
        path.rename(trash)
        _wipe(trash)


def leftovers(path: Path) -> list[Path]:
    """Name what a killed run may have left beside the environment."""
    return [item for item in (_hidden(path, "old"), _hidden(path, "trash")) if item.exists()]


def sweep(path: Path) -> None:
    """Remove what stands beside a complete environment, or beside none."""
    for item in leftovers(path):
        _wipe(item)


@contextlib.contextmanager
def exclusive(folder: Path, wait_s: float = LOCK_WAIT_S) -> t.Iterator[None]:
    """Hold the folder for one builder at a time; the kernel lets go when the holder dies."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    deadline = time.monotonic() + wait_s
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise WheelEnvError(
                        f"another run has been working in {folder} for {wait_s:.0f} s"
                    ) from None
                time.sleep(0.2)
        yield
    finally:
        os.close(descriptor)


def _run(argv: list[str], what: str, *, check: bool = True, env: dict[str, str] | None = None) -> str:
    """Run one step with a clean environment; a failure becomes one line that names the step."""
    try:
        done = subprocess.run(
            argv,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            umask=0o022,
            env=_CLEAN_ENV if env is None else env,
        )
    except OSError as error:
        raise WheelEnvError(f"cannot {what}: {error}") from error
    if check and done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["no message"]
        raise WheelEnvError(f"cannot {what} (exit {done.returncode}): {errors[0]}")
    return done.stdout


# --- the controller's half ---


def bundle_is_good(archive: Path) -> bool:
    """Compare an archive with the digest recorded beside it when it was made."""
    try:
        recorded = _digest_file(archive).read_text(encoding="utf-8").split()[0]
        return recorded == file_digest(archive)
    except (OSError, IndexError):
        return False


def file_digest(path: Path) -> str:
    """Hash a file without holding it in memory."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _digest_file(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.sha256")


def bundle(archive: Path, lock: str, tag: str, python: str, wheels: Path) -> None:
    """Fetch what is missing of a lock's wheels and put them into one archive with the same bytes every time.

    Wheels that already lie in the folder with the right hash are used as they are: with all of them there, or
    with the archive there, no network is touched.
    """
    requirements = parse_lock(lock)
    wheels.mkdir(parents=True, exist_ok=True)
    have = _by_digest(wheels)
    missing = [item for item in requirements if item.sha256 not in have]
    if missing:
        _fetch(missing, tag, python, wheels)
        have = _by_digest(wheels)
    absent = [item.name for item in requirements if item.sha256 not in have]
    if absent:
        raise WheelEnvError(f"no wheel with the locked hash for {', '.join(absent)}")
    chosen = sorted({have[item.sha256] for item in requirements})
    temporary = archive.with_name(f".{archive.name}.new")
    with tarfile.open(temporary, "w:", format=tarfile.GNU_FORMAT) as tar:
        for wheel in chosen:
            member = tarfile.TarInfo(wheel.name)
            member.size = wheel.stat().st_size
            member.mode = 0o644
            with wheel.open("rb") as stream:
                tar.addfile(member, stream)
    digest = file_digest(temporary)
    # The record goes last: an archive without its record is made again.
    _digest_file(archive).unlink(missing_ok=True)
    temporary.replace(archive)
    write_durably(_digest_file(archive), f"{digest}  {archive.name}\n")


def _by_digest(wheels: Path) -> dict[str, Path]:
    return {file_digest(wheel): wheel for wheel in sorted(wheels.glob("*.whl"))}


def _fetch(missing: list[Requirement], tag: str, python: str, wheels: Path) -> None:
    """Let pip fetch wheels by hash, for a Python and machine that need not be the controller's own."""
    match = _TAG.match(tag)
    if match is None:
        raise WheelEnvError(f"{tag!r} is no lock tag such as cp311-x86_64")
    listing = wheels / f".{tag}.txt"
    listing.write_text("".join(f"{item.line()}\n" for item in missing), encoding="utf-8")
    platforms = [
        arg
        for name in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
        for arg in ("--platform", f"{name}_{match['arch']}")
    ]
    try:
        # The controller's own pip settings (mirror, proxy, certificates) are wanted here.
        _run(
            [
                python, "-m", "pip", "download", "--quiet", "--no-input", "--require-hashes", "--no-deps",
                "--only-binary", ":all:", "--disable-pip-version-check", "--implementation", "cp",
                "--python-version", f"{match['major']}.{match['minor']}", *platforms,
                "-r", str(listing), "-d", str(wheels),
            ],
            f"fetch {len(missing)} wheels of {tag}",
            env=dict(os.environ),
        )  # fmt: skip
    finally:
        listing.unlink(missing_ok=True)


# --- one call for the module ---


class Request(t.NamedTuple):
    """The module's options."""

    state: str
    path: str | None
    locks: dict[str, str]
    archive: str | None
    python: str
    tag: str | None
    wheels: str | None
    replace: bool
    consume: bool


def run(request: Request, *, check_mode: bool = False) -> dict[str, t.Any]:
    """Do what the module was asked for and return its result."""
    return {"present": _present, "probe": _probe, "absent": _absent, "bundled": _bundled}[request.state](
        request, check_mode
    )


def _path(request: Request) -> Path:
    if not request.path:
        raise WheelEnvError(f"state {request.state} needs a path")
    return Path(request.path)


def _facts(request: Request) -> tuple[str, str, str]:
    version, tag = python_info(request.python)
    lock = pick(request.locks, request.tag or tag)
    return version, request.tag or tag, lock


def _probe(request: Request, check_mode: bool) -> dict[str, t.Any]:
    del check_mode  # looking changes nothing in either mode
    version, tag, lock = _facts(request)
    path = _path(request)
    state = read_state(path)
    build_it = verdict(state, lock_digest(lock), version, path, request.replace) == "build"
    return {
        "changed": False,
        "needed": build_it or bool(leftovers(path)),
        "tag": tag,
        "python_version": version,
        "packages": state.packages,
        "lock": lock_digest(lock),
    }


def _present(request: Request, check_mode: bool) -> dict[str, t.Any]:
    version, tag, lock = _facts(request)
    if _DIGEST.match(lock):
        raise WheelEnvError("state present needs the text of the lock, not its digest")
    digest = lock_digest(lock)
    path = _path(request)
    packages = len(packages_of(parse_lock(lock)))
    result = {"tag": tag, "python_version": version, "packages": packages, "lock": digest, "needed": False}
    if check_mode:
        build_it = verdict(read_state(path), digest, version, path, request.replace) == "build"
        return {**result, "changed": build_it or bool(leftovers(path))}
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with exclusive(path.parent):
        # Looked at under the lock: another run may have built it while this one waited.
        if verdict(read_state(path), digest, version, path, request.replace) == "keep":
            changed = bool(leftovers(path))
            sweep(path)
            return {**result, "changed": changed}
        if request.archive is None:
            raise WheelEnvError(f"{path} has to be built and no archive was given")
        build(path, lock, Path(request.archive), request.python, version, consume=request.consume)
    return {**result, "changed": True}


def _absent(request: Request, check_mode: bool) -> dict[str, t.Any]:
    path = _path(request)
    state = read_state(path)
    if state.kind == "foreign":
        raise WheelEnvError(f"{path} was not made by this module and is left alone")
    changed = state.kind != "absent" or bool(leftovers(path))
    if changed and not check_mode:
        with exclusive(path.parent):
            _discard(path)
            sweep(path)
    return {"changed": changed}


def _bundled(request: Request, check_mode: bool) -> dict[str, t.Any]:
    if request.archive is None or request.tag is None:
        raise WheelEnvError("state bundled needs archive and tag")
    lock = pick(request.locks, request.tag)
    archive = Path(request.archive).expanduser()
    result: dict[str, t.Any] = {"tag": request.tag, "lock": lock_digest(lock), "archive": str(archive)}
    if check_mode:
        return {**result, "changed": not bundle_is_good(archive)}
    archive.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(archive.parent):
        if bundle_is_good(archive):
            return {**result, "changed": False}
        wheels = Path(request.wheels).expanduser() if request.wheels else archive.parent / request.tag
        bundle(archive, lock, request.tag, request.python, wheels)
    return {**result, "changed": True}
