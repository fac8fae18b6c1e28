# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of wheel_env: what a lock is, what stands on a host, what may be built or unpacked."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from ansible_collections.timmy.config.plugins.module_utils import wheel_env

A = "a" * 64
LOCKS = Path(__file__).resolve().parents[4] / "roles" / "hermes_agent" / "files" / "locks"


def lock_of(wheels: dict[str, bytes]) -> str:
    lines = []
    for file_name, content in wheels.items():
        name, version = file_name.split("-")[:2]
        lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(content).hexdigest()}")
    return "# a comment\n" + "\n".join(lines) + "\n"


WHEELS = {"pip-26.0-py3-none-any.whl": b"pip", "tiny-1.0-py3-none-any.whl": b"tiny"}


def archive_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


# --- locks ---


def test_a_lock_is_read_without_its_comments() -> None:
    found = wheel_env.parse_lock(f"# made\n\npip==26.0 --hash=sha256:{A}\nx-y==1+local.2 --hash=sha256:{A}\n")
    assert [(item.name, item.version) for item in found] == [("pip", "26.0"), ("x-y", "1+local.2")]
    assert [item.name for item in wheel_env.packages_of(found)] == ["x-y"]
    assert found[1].line() == f"x-y==1+local.2 --hash=sha256:{A}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pip==26.0\n", "line 1"),
        (f"pip==26.0 --hash=sha256:{A[:-1]}\n", "line 1"),
        (f"pip==26.0 --hash=md5:{A}\n", "line 1"),
        (f"pip>=26.0 --hash=sha256:{A}\n", "line 1"),
        (f"--index-url==1 --hash=sha256:{A}\n", "line 1"),
        (f"pip==26.0 --hash=sha256:{A} --hash=sha256:{A}\n", "line 1"),
        (f"pip==26.0 --hash=sha256:{A}\npip==26.1 --hash=sha256:{A}\n", "line 2 names pip"),
        (f"x==1 --hash=sha256:{A}\n", "does not name pip"),
        ("", "does not name pip"),
    ],
)
def test_a_lock_that_pins_less_is_refused(text: str, says: str) -> None:
    with pytest.raises(wheel_env.WheelEnvError, match=says):
        wheel_env.parse_lock(text)


@pytest.mark.parametrize("tag", ["cp311-x86_64", "cp311-aarch64", "cp313-x86_64", "cp313-aarch64"])
def test_the_locks_that_are_shipped(tag: str) -> None:
    text = (LOCKS / f"hermes-agent-0.19.0-{tag}.txt").read_text(encoding="utf-8")
    names = [item.name for item in wheel_env.parse_lock(text)]
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == sorted(lines)
    assert "://" not in text
    # What the gateway, Telegram and MCP servers need beyond the bare agent.
    assert {"hermes-agent", "aiohttp", "python-telegram-bot", "mcp", "pip"} <= set(names)


def test_the_digest_of_a_lock_is_that_of_its_bytes() -> None:
    assert wheel_env.lock_digest("text\n") == hashlib.sha256(b"text\n").hexdigest()
    assert wheel_env.lock_digest(A) == A


def test_a_machine_without_a_lock_is_told_which_there_are() -> None:
    with pytest.raises(
        wheel_env.WheelEnvError, match=r"cp312-riscv64 \(there are: cp311-x86_64, cp313-x86_64\)"
    ):
        wheel_env.pick({"cp313-x86_64": A, "cp311-x86_64": A}, "cp312-riscv64")


# --- what stands on a host ---


def complete(path: Path, *, lock: str = A, python: str = "3.11.2", packages: int = 2) -> Path:
    site = path / "lib" / f"python{python.rpartition('.')[0]}" / "site-packages"
    for number in range(2):
        (site / f"p{number}-1.dist-info").mkdir(parents=True)
    (path / "bin").mkdir()
    (path / "bin" / "python").touch(mode=0o755)
    stamp = {"schema": 1, "lock": lock, "python": python, "packages": packages}
    (path / wheel_env.STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    return path


def test_nothing_there_is_absent(tmp_path: Path) -> None:
    assert wheel_env.read_state(tmp_path / "x").kind == "absent"


def test_a_stamped_environment_is_complete(tmp_path: Path) -> None:
    state = wheel_env.read_state(complete(tmp_path / "x"))
    assert state == wheel_env.State("complete", A, "3.11.2", 2)


@pytest.mark.parametrize("damage", ["stamp", "schema", "package", "interpreter", "marked", "emptied"])
def test_a_damaged_environment_is_partial(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x"
    if damage in ("marked", "emptied"):
        path.mkdir()
        if damage == "marked":
            (path / wheel_env.MARK).touch()
            (path / "bin").mkdir()
    else:
        complete(path)
    if damage == "stamp":
        (path / wheel_env.STAMP).write_text('{"schema": 1, "lo', encoding="utf-8")
    elif damage == "schema":
        (path / wheel_env.STAMP).write_text(
            json.dumps({"schema": 2, "lock": A, "python": "3.11.2", "packages": 2}), encoding="utf-8"
        )
    elif damage == "package":
        (path / "lib/python3.11/site-packages/p1-1.dist-info").rmdir()
    elif damage == "interpreter":
        (path / "bin" / "python").unlink()
    assert wheel_env.read_state(path).kind == "partial"


@pytest.mark.parametrize("what", ["file", "link", "directory"])
def test_what_somebody_else_made_is_foreign(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x"
    if what == "file":
        path.touch()
    elif what == "link":
        path.symlink_to(complete(tmp_path / "elsewhere"))
    else:
        (path / "bin").mkdir(parents=True)
    assert wheel_env.read_state(path).kind == "foreign"
    with pytest.raises(wheel_env.WheelEnvError, match="was not made by this module"):
        wheel_env.verdict(wheel_env.read_state(path), A, "3.11.2", path, replace=True)


@pytest.mark.parametrize(
    ("kind", "lock", "python", "replace", "result"),
    [
        ("absent", "", "", False, "build"),
        ("partial", A, "3.11.2", False, "build"),
        ("complete", A, "3.11.2", False, "keep"),
        ("complete", A, "3.11.9", False, "keep"),  # a point release of Python keeps its packages
        ("complete", A, "3.11.2", True, "keep"),
        ("complete", "b" * 64, "3.11.2", False, "another lock"),
        ("complete", "b" * 64, "3.11.2", True, "build"),
        ("complete", A, "3.13.5", False, r"Python 3\.13\.5"),
        ("complete", A, "3.13.5", True, "build"),
    ],
)
def test_the_verdict(kind: str, lock: str, python: str, replace: bool, result: str) -> None:
    state = wheel_env.State(kind, lock, python, 2)
    if result in ("build", "keep"):
        assert wheel_env.verdict(state, A, "3.11.2", Path("/p"), replace) == result
    else:
        with pytest.raises(wheel_env.WheelEnvError, match=result):
            wheel_env.verdict(state, A, "3.11.2", Path("/p"), replace)


# --- archives ---


def test_the_wheels_of_an_archive_come_out_by_name(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a.tar", WHEELS)
    found = wheel_env.unpack(archive, wheel_env.parse_lock(lock_of(WHEELS)), tmp_path / "w")
    assert {name: path.read_bytes() for name, path in found.items()} == {"pip": b"pip", "tiny": b"tiny"}


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"pip-26.0-py3-none-any.whl": b"pip"}, "lacks wheels of the lock: tiny"),
        ({**WHEELS, "tiny-1.0-py3-none-any.whl": b"evil"}, "is not the wheel that the lock names"),
        ({**WHEELS, "../tiny-1.0-py3-none-any.whl": b"tiny"}, "no wheel"),
        ({**WHEELS, "setup.py": b"tiny"}, "no wheel"),
    ],
)
def test_an_archive_with_anything_else_is_refused(
    tmp_path: Path, members: dict[str, bytes], says: str
) -> None:
    archive = archive_of(tmp_path / "a.tar", members)
    with pytest.raises(wheel_env.WheelEnvError, match=says):
        wheel_env.unpack(archive, wheel_env.parse_lock(lock_of(WHEELS)), tmp_path / "w")


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w:") as tar:
        member = tarfile.TarInfo("tiny-1.0-py3-none-any.whl")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(wheel_env.WheelEnvError, match="no wheel"):
        wheel_env.unpack(tmp_path / "a.tar", wheel_env.parse_lock(lock_of(WHEELS)), tmp_path / "w")


def test_a_file_that_is_no_archive_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no tar at all")
    with pytest.raises(wheel_env.WheelEnvError, match="cannot read the archive"):
        wheel_env.unpack(tmp_path / "a.tar", wheel_env.parse_lock(lock_of(WHEELS)), tmp_path / "w")


# --- the controller's half ---


def bundle(tmp_path: Path, *, name: str = "set.tar") -> dict[str, object]:
    return wheel_env.run(
        wheel_env.Request(
            state="bundled",
            path=None,
            locks={"cp311-x86_64": lock_of(WHEELS)},
            archive=str(tmp_path / name),
            # Reaching for the network would have to go through this and fail.
            python="/nonexistent/python",
            tag="cp311-x86_64",
            wheels=str(tmp_path / "wheels"),
            replace=False,
            consume=False,
        )
    )


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, content in WHEELS.items():
        (folder / name).write_bytes(content)
    (folder / "other-1-py3-none-any.whl").write_bytes(b"of another lock")
    return folder


def test_with_all_wheels_there_no_network_is_touched(tmp_path: Path, wheels: Path) -> None:
    assert bundle(tmp_path)["changed"] is True
    with tarfile.open(tmp_path / "set.tar") as tar:
        assert tar.getnames() == sorted(WHEELS)


def test_two_bundles_of_one_lock_are_the_same_bytes(tmp_path: Path, wheels: Path) -> None:
    bundle(tmp_path)
    (wheels / "tiny-1.0-py3-none-any.whl").touch()
    bundle(tmp_path, name="again.tar")
    assert (tmp_path / "set.tar").read_bytes() == (tmp_path / "again.tar").read_bytes()


def test_a_good_archive_is_enough_without_its_wheels(tmp_path: Path, wheels: Path) -> None:
    bundle(tmp_path)
    for wheel in wheels.iterdir():
        wheel.unlink()
    assert bundle(tmp_path)["changed"] is False


def test_a_torn_archive_is_made_again(tmp_path: Path, wheels: Path) -> None:
    bundle(tmp_path)
    good = (tmp_path / "set.tar").read_bytes()
    (tmp_path / "set.tar").write_bytes(good[:-700])
    assert bundle(tmp_path)["changed"] is True
    assert (tmp_path / "set.tar").read_bytes() == good


def test_a_wheel_with_another_content_is_not_taken(tmp_path: Path, wheels: Path) -> None:
    (wheels / "tiny-1.0-py3-none-any.whl").write_bytes(b"evil")
    with pytest.raises(wheel_env.WheelEnvError, match="cannot fetch 1 wheels of cp311-x86_64"):
        bundle(tmp_path)
    assert not (tmp_path / "set.tar").exists()


def test_one_builder_at_a_time(tmp_path: Path) -> None:
    with (
        wheel_env.exclusive(tmp_path),
        pytest.raises(wheel_env.WheelEnvError, match="another run"),
        wheel_env.exclusive(tmp_path, wait_s=0.0),
    ):
        pass
    # The loser's failure and the winner's end both leave the folder free.
    with wheel_env.exclusive(tmp_path, wait_s=0.0):
        pass


def test_write_bits_are_taken_and_links_left(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d").chmod(0o777)
    (tmp_path / "d" / "f").touch()
    (tmp_path / "d" / "f").chmod(0o666)
    (tmp_path / "d" / "run").touch()
    (tmp_path / "d" / "run").chmod(0o775)
    (tmp_path / "d" / "link").symlink_to("/nonexistent")
    wheel_env._take_write_bits(tmp_path)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("d", "d/f", "d/run")}
    assert modes == {"d": 0o755, "d/f": 0o644, "d/run": 0o755}
