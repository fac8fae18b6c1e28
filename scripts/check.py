# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run checks side by side and leave one JUnit report per check in build/test.

    python scripts/check.py            every check that needs no engine
    python scripts/check.py ruff mypy  these checks

A check is a command. Those that write reports of their own are marked, so that a test is counted once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "env" / "bin"
RESULTS = ROOT / "build" / "test"
SHELLS = ("#!/bin/sh", "#!/usr/bin/sh", "#!/bin/bash", "#!/usr/bin/env bash")
COLLECTION = "build/collections/ansible_collections/timmy/config"


@dataclass(frozen=True)
class Check:
    """One command; `reports` names the JUnit files that it writes itself."""

    name: str
    argv: tuple[str, ...]
    reports: str = ""


def tracked() -> list[str]:
    """Return the files of the project, those included that are not yet committed."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ":!build"]
    listed = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def shell_scripts() -> tuple[str, ...]:
    """Return the shell scripts, told by their first line, so that none needs to be listed."""
    found = []
    for name in tracked():
        with (ROOT / name).open("rb") as stream:
            if stream.readline(40).decode("utf-8", "replace").strip() in SHELLS:
                found.append(name)
    return tuple(sorted(found))


def typed_paths() -> tuple[str, ...]:
    """Return what mypy reads: plugins under the name by which they are imported, and the rest."""
    # A module is checked by itself: two scripts of one name in two folders are no clash.
    plugins = (f"{COLLECTION}/plugins",)
    places = ("src", "sandbox/model", "sandbox/forge", "scripts")
    rest = tuple(place for place in places if any((ROOT / place).rglob("*.py")))
    return plugins + rest


def table() -> list[Check]:
    """Return the checks, those that take longest first."""
    python = str(BIN / "python")
    # The folders are those of pyproject.toml; what needs a fleet is run by the Molecule scenario.
    pytest = (python, "-m", "pytest", "-q", "--junitxml", "build/test/pytest.xml")
    contract = (python, "-m", "pytest", "-q", "tests/contract", "--junitxml", "build/test/contract.xml")
    modules = (python, "-m", "pytest", "-q", "tests/forge_modules", "--junitxml", "build/test/modules.xml")
    docs = ("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs=self", ".")
    return [
        Check("modules", modules, "modules.xml"),
        Check("contract", contract, "contract.xml"),
        Check("sanity", ("sh", "scripts/sanity.sh", "sanity"), "ansible-test-sanity-*.xml"),
        Check("pytest", pytest, "pytest.xml"),
        Check("ansible-lint", ("ansible-lint", "--offline", "--profile", "production")),
        Check("mypy", ("mypy", "--strict", "--cache-dir", "build/mypy", *typed_paths())),
        Check("units", ("sh", "scripts/sanity.sh", "units"), "ansible-test-units-*.xml"),
        Check("host-python", ("sh", "scripts/host_python.sh", "local"), "host-python-local*.xml"),
        Check("docs", docs),
        Check("changelog", ("antsibull-changelog", "lint")),
        Check("ruff", ("ruff", "check", "--cache-dir", "build/ruff", ".")),
        Check("shellcheck", ("shellcheck", *shell_scripts())),
    ]


def failed_in(pattern: str) -> int:
    """Return how many failures the reports of a check name themselves."""
    count = 0
    for path in RESULTS.glob(pattern) if pattern else ():
        for case in ET.parse(path).iter("testcase"):  # noqa: S314  # our own reports
            count += case.find("failure") is not None or case.find("error") is not None
    return count


def report(check: Check, seconds: float, status: int, output: str) -> None:
    """Write the JUnit file of a check, unless the check's own reports already say it all."""
    path = RESULTS / f"check-{check.name}.xml"
    path.unlink(missing_ok=True)
    if check.reports and (status == 0 or failed_in(check.reports)):
        return
    suite = ET.Element("testsuite", name="check", tests="1", failures=str(int(status != 0)))
    case = ET.SubElement(suite, "testcase", classname="check", name=check.name, time=f"{seconds:.3f}")
    if status != 0:
        failure = ET.SubElement(case, "failure", message=f"exit code {status}")
        # Control characters of a tool's colours are not allowed in XML.
        failure.text = "".join(char for char in output if char.isprintable() or char in "\n\t")
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def run(check: Check) -> tuple[Check, float, int, str]:
    """Run one check and return what it said."""
    for old in RESULTS.glob(check.reports) if check.reports else ():
        old.unlink()
    env = dict(os.environ, PATH=f"{BIN}:{os.environ.get('PATH', '')}", NO_COLOR="1")
    start = time.monotonic()
    try:
        done = subprocess.run(
            check.argv,
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except FileNotFoundError as missing:
        return check, 0.0, 127, f"{missing.filename} is not installed; make env-dev installs it"
    return check, time.monotonic() - start, done.returncode, done.stdout


def main(names: list[str]) -> int:
    """Run the named checks, or all; two at a time, since the machine that this is made for has two cores."""
    checks = table()
    unknown = set(names) - {check.name for check in checks}
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are: {' '.join(check.name for check in checks)}")
        return 2
    wanted = [check for check in checks if not names or check.name in names]
    RESULTS.mkdir(parents=True, exist_ok=True)
    worst = 0
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done in as_completed([pool.submit(run, check) for check in wanted]):
            check, seconds, status, output = done.result()
            report(check, seconds, status, output)
            worst = worst or status
            if status != 0:
                print(output.rstrip())
            print(f"{check.name:<14} {'ok' if status == 0 else 'FAILED':<7} {seconds:6.1f} s", flush=True)
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
