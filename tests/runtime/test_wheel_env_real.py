# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real environments from a wheel made here, without a network, and builds that are killed at every step."""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import py_compile
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pip
import pytest
from ansible_collections.timmy.config.plugins.module_utils import wheel_env

TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}-{platform.machine()}"
ROOT = Path(__file__).resolve().parents[2]


def make_wheel(folder: Path, name: str, version: str) -> Path:
    """Make a wheel by hand: one module, one command, and modes that are too wide on purpose."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"def main():\n    print({f'{name} {version}'!r})\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100666 << 16
            archive.writestr(entry, text)
    return wheel


def make_pip_wheel(folder: Path) -> Path:
    """Pack the pip of this interpreter: it is only run out of the wheel, never installed from it.

    As byte code: a source in an archive would be compiled anew by each run, which is most of a run's time.
    """
    source = Path(pip.__file__).parent
    wheel = folder / f"pip-{pip.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for item in sorted(source.rglob("*")):
            inside = Path("pip") / item.relative_to(source)
            if item.suffix == ".py":
                compiled = py_compile.compile(str(item), cfile=str(folder / "compiled"), doraise=True)
                archive.write(str(compiled), inside.with_suffix(".pyc"))
            elif item.is_file() and "__pycache__" not in item.parts:
                archive.write(item, inside)
    return wheel


def lock_of(*wheels: Path) -> str:
    return "".join(
        "{}=={} --hash=sha256:{}\n".format(*wheel.name.split("-")[:2], wheel_env.file_digest(wheel))
        for wheel in wheels
    )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    make_pip_wheel(folder)
    make_wheel(folder, "tiny", "1.0")
    make_wheel(folder, "tiny", "2.0")
    return folder


def request_of(
    tmp_path: Path, wheels: Path, version: str = "1.0", state: str = "present", *, replace: bool = False
) -> wheel_env.Request:
    lock = lock_of(next(wheels.glob("pip-*")), wheels / f"tiny-{version}-py3-none-any.whl")
    return wheel_env.Request(
        state=state,
        path=str(tmp_path / "opt" / "env"),
        locks={TAG: lock},
        archive=str(tmp_path / "set.tar"),
        python=sys.executable,
        tag=TAG,
        wheels=str(wheels),
        replace=replace,
        consume=True,
    )


def says(tmp_path: Path) -> str:
    command = tmp_path / "opt" / "env" / "bin" / "tiny"
    return subprocess.run([command], check=True, capture_output=True, text=True).stdout.strip()


def ensure(tmp_path: Path, wheels: Path, version: str = "1.0", *, replace: bool = False) -> dict[str, object]:
    """Bundle and build as the role does: the archive is handed over for each build."""
    wheel_env.run(request_of(tmp_path, wheels, version, "bundled"))
    return wheel_env.run(request_of(tmp_path, wheels, version, replace=replace))


def test_a_build_from_nothing(tmp_path: Path, wheels: Path) -> None:
    assert wheel_env.run(request_of(tmp_path, wheels, state="probe"))["needed"] is True
    result = ensure(tmp_path, wheels)
    assert (result["changed"], result["packages"]) == (True, 1)
    assert says(tmp_path) == "tiny 1.0"

    env = tmp_path / "opt" / "env"
    site = next(env.glob("lib/python*/site-packages"))
    assert not (site / "pip").exists(), "nothing may be able to add packages later"
    assert list(site.glob("__pycache__/tiny.*.pyc")), "agents cannot write byte code, so it has to be there"
    wide = [item for item in env.rglob("*") if not item.is_symlink() and item.stat().st_mode & 0o022]
    assert wide == []
    assert [item.name for item in (tmp_path / "opt").iterdir()] == ["env"]
    assert not (tmp_path / "set.tar").exists(), "the archive is consumed"

    # With nothing to do no archive is needed, and the probe says so.
    assert wheel_env.run(request_of(tmp_path, wheels, state="probe"))["needed"] is False
    assert wheel_env.run(request_of(tmp_path, wheels))["changed"] is False


def test_another_lock_is_refused_until_replace_is_said(tmp_path: Path, wheels: Path) -> None:
    ensure(tmp_path, wheels)
    with pytest.raises(wheel_env.WheelEnvError, match="another lock"):
        ensure(tmp_path, wheels, "2.0")
    assert says(tmp_path) == "tiny 1.0"
    assert ensure(tmp_path, wheels, "2.0", replace=True)["changed"] is True
    assert says(tmp_path) == "tiny 2.0"
    assert [item.name for item in (tmp_path / "opt").iterdir()] == ["env"]


def test_a_build_that_fails_brings_back_what_stood_there(tmp_path: Path, wheels: Path) -> None:
    ensure(tmp_path, wheels)
    request = request_of(tmp_path, wheels, "2.0", replace=True)
    Path(str(request.archive)).write_bytes(b"torn")
    with pytest.raises(wheel_env.WheelEnvError, match="cannot read the archive"):
        wheel_env.run(request)
    assert says(tmp_path) == "tiny 1.0"
    assert wheel_env.run(request_of(tmp_path, wheels))["changed"] is False


def test_removal_leaves_nothing(tmp_path: Path, wheels: Path) -> None:
    ensure(tmp_path, wheels)
    assert wheel_env.run(request_of(tmp_path, wheels, state="absent"))["changed"] is True
    assert list((tmp_path / "opt").iterdir()) == []


# Builds in a process that kills itself, hard, before or after the nth call of one of the core's functions.
KILLER = """
import os, signal, sys
from ansible_collections.timmy.config.plugins.module_utils import wheel_env as w
name, when, left, *fields = sys.argv[1:]
left = [int(left)]
real = getattr(w, name)
def fatal(*args, **more):
    left[0] -= 1
    if left[0] == 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*args, **more)
    if left[0] == 0 and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(w, name, fatal)
path, lock, archive, tag, replace = fields
locks = {tag: open(lock).read()}
w.run(w.Request("present", path, locks, archive, sys.executable, tag, None, replace == "yes", True))
"""

STEPS = [
    ("unpack", "before", 1),
    ("unpack", "after", 1),
    ("_run", "after", 2),  # the bare virtual environment
    ("_run", "after", 3),  # the wheels
    ("_run", "after", 4),  # the byte code
    ("_take_write_bits", "after", 1),
    ("_finish", "before", 1),  # the archive is gone already
    ("write_durably", "before", 1),
    ("write_durably", "after", 1),  # the stamp's text is there, under the mark's name
]


@pytest.mark.parametrize(
    ("step", "replace"),
    [*((step, False) for step in STEPS), (STEPS[0], True), (STEPS[6], True)],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else ("blank", "replace")[value],
)
def test_a_killed_build_is_made_again(
    tmp_path: Path, wheels: Path, step: tuple[str, str, int], replace: bool
) -> None:
    if replace:
        ensure(tmp_path, wheels)
    request = request_of(tmp_path, wheels, "2.0")
    wheel_env.run(request._replace(state="bundled"))
    (tmp_path / "lock").write_text(request.locks[TAG], encoding="utf-8")
    fields = [request.path, str(tmp_path / "lock"), request.archive, TAG, "yes" if replace else "no"]
    done = subprocess.run(
        [sys.executable, "-c", KILLER, *map(str, step), *map(str, fields)],
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "build" / "collections")},
    )
    assert done.returncode == -signal.SIGKILL
    path = Path(str(request.path))
    assert wheel_env.read_state(path).kind == "partial"
    assert wheel_env.run(request._replace(state="probe"))["needed"] is True

    assert ensure(tmp_path, wheels, "2.0")["changed"] is True
    assert says(tmp_path) == "tiny 2.0"
    assert [item.name for item in (tmp_path / "opt").iterdir()] == ["env"]


def test_a_kill_after_the_stamp_leaves_only_sweeping(tmp_path: Path, wheels: Path) -> None:
    ensure(tmp_path, wheels)
    old = tmp_path / "opt" / ".env.timmy-old"
    old.mkdir()
    assert wheel_env.run(request_of(tmp_path, wheels, state="probe"))["needed"] is True
    assert wheel_env.run(request_of(tmp_path, wheels))["changed"] is True
    assert not old.exists()
    assert says(tmp_path) == "tiny 1.0"
