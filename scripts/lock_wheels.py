# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the lock files of the wheel sets that hosts receive: one exact wheel per requirement line.

A resolver's lock lists the hash of every file of a release. Hosts get one known set, so each line is narrowed
to the hash of the single wheel that a Debian host of that Python and architecture uses. Run by `make lock`;
needs the package index, changes only the lock files, and writes the same bytes for the same index contents.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

LOCKS = Path(__file__).resolve().parent.parent / "roles" / "hermes_agent" / "files" / "locks"
# Debian 12 and 13 ship these; both have glibc newer than 2.28.
PYTHONS = ("3.11", "3.13")
ARCHES = ("x86_64", "aarch64")
# Most specific first is pip's own business; naming all of them lets older builds of pure C wheels in.
PLATFORMS = ("manylinux_2_28_{arch}", "manylinux_2_17_{arch}", "manylinux2014_{arch}")


class Target(NamedTuple):
    """One set: a Python version and an architecture."""

    python: str
    arch: str

    @property
    def tag(self) -> str:
        return f"cp{self.python.replace('.', '')}-{self.arch}"

    def pip_args(self) -> list[str]:
        args = ["--python-version", self.python, "--implementation", "cp"]
        for platform in PLATFORMS:
            args += ["--platform", platform.format(arch=self.arch)]
        return args


def normalise(name: str) -> str:
    """Bring a distribution name to the one spelling that requirement lines use."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wheel_line(wheel: Path) -> str:
    """Make the requirement line that accepts exactly this wheel file."""
    name, version = wheel.name.split("-")[:2]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{normalise(name)}=={version} --hash=sha256:{digest}"


def lock_text(source: str, wheels: list[Path]) -> str:
    """Render a lock: sorted lines under a header that says how it was made."""
    lines = sorted(wheel_line(wheel) for wheel in wheels)
    return f"# Made by `make lock` from {source}; do not edit.\n" + "\n".join(lines) + "\n"


def check_complete(resolved: str, wheels: list[Path], target: Target) -> None:
    """Refuse a set whose wheels are not exactly what the resolver asked for."""
    wanted = {normalise(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", resolved, flags=re.M)}
    have = {normalise(wheel.name.split("-")[0]) for wheel in wheels}
    if wanted != have:
        raise SystemExit(f"{target.tag}: wheels and resolution differ: {sorted(wanted ^ have)}")


def make_lock(target: Target, source: Path, uv: str) -> str:
    """Resolve one target, fetch its wheels and return the text of its lock."""
    with tempfile.TemporaryDirectory(prefix="lock-wheels-") as name:
        work = Path(name)
        resolved = work / "resolved.txt"
        subprocess.run(
            [
                uv, "pip", "compile", str(source), "--python-version", target.python,
                "--python-platform", f"{target.arch}-manylinux_2_28", "--only-binary", ":all:",
                "--generate-hashes", "--no-header", "--no-annotate", "--quiet", "-o", str(resolved),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wheels_dir = work / "wheels"
        subprocess.run(
            [
                sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes",
                "--only-binary", ":all:", "--no-deps", *target.pip_args(),
                "-r", str(resolved), "-d", str(wheels_dir),
            ],
            check=True,
        )  # fmt: skip
        wheels = sorted(wheels_dir.glob("*.whl"))
        check_complete(resolved.read_text(encoding="utf-8"), wheels, target)
        return lock_text(source.name, wheels)


def main(argv: list[str] | None = None) -> int:
    """Write every lock beside its source; a lock is replaced only when its text differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", default=shutil.which("uv") or "uv", help="the resolver's command")
    parser.add_argument(
        "--dir", type=Path, default=LOCKS, help="where the .in files lie and the locks go (default: the role)"
    )
    parser.add_argument("--only", metavar="TAG", help="one set, such as cp311-x86_64")
    args = parser.parse_args(argv)
    for source in sorted(args.dir.glob("*.in")):
        for target in (Target(python, arch) for python in PYTHONS for arch in ARCHES):
            if args.only not in (None, target.tag):
                continue
            lock = args.dir / f"{source.stem}-{target.tag}.txt"
            text = make_lock(target, source, args.uv)
            same = lock.exists() and lock.read_text(encoding="utf-8") == text
            if not same:
                lock.write_text(text, encoding="utf-8")
            print(f"{lock.name}: {text.count('==')} wheels, {'unchanged' if same else 'written'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
