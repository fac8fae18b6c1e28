# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host tool: the release engine as one file beside the guard, outside of every release.

It is named after its sources, so a controller knows without asking which file holds its own code, and a
record of the guard leads to the very code of the deploy that armed it. Bytecode lies beside each source,
because a program in an archive is compiled anew at each start otherwise; a host whose Python has changed
falls back to the source.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import marshal
import os
import re
from contextlib import suppress
from typing import Any

from .guard import write_file

LIB_DIR = "/usr/local/lib/timmy"
PYTHON = "/usr/bin/python3"
# -S: nothing but the standard library is used, and looking for more costs a third of a start.
FLAGS = ("-I", "-S")
# Verbs of the program; what an undo calls is told to the guard when it is armed.
VISIT = "visit"
GUARD = "guard"
# The entry point and all that it imports, directly or not, at once or later.
ENTRY = "release_tool"
MODULES = (
    "adoption",
    "config_names",
    "config_schema",
    "config_sections",
    "config_values",
    "config_words",
    "declarations",
    "declared_check",
    "env_file",
    "guard",
    "hermes_endpoints",
    "hermes_home",
    "hermes_jobs",
    "hermes_keys",
    "hermes_prove",
    "hermes_side",
    "hermes_yaml",
    "home_merge",
    "host_room",
    "overlay_cron",
    "overlay_fields",
    "overlay_problem",
    "ownership",
    "release",
    "release_arguments",
    "release_drift",
    "release_files",
    "release_format",
    "release_guard",
    "release_homes",
    "release_host",
    "release_lock",
    "release_probe",
    "release_program",
    "release_proof",
    "release_removal",
    "release_smoke",
    "release_stage",
    "release_state",
    "release_tool",
    "release_trial",
    "release_undo",
    "release_units",
    "wizard_units",
)
_PACKAGE = "timmy_release"
# The guard's own verbs load nothing but the guard.
_MAIN = f"""import sys

if sys.argv[1:2] == ["{GUARD}"]:
    from {_PACKAGE} import guard

    sys.exit(guard.main(sys.argv[2:]))

from {_PACKAGE} import {ENTRY}

sys.exit({ENTRY}.main(sys.argv[1:]))
"""
# Hash-based and unchecked (PEP 552): there is no file whose time could be compared.
_UNCHECKED = (0b01).to_bytes(4, "little")


def sources() -> dict[str, str]:
    """The text of each module of the program, by its path in the archive."""
    texts = {f"{_PACKAGE}/__init__.py": "", "__main__.py": _MAIN}
    for name in MODULES:
        texts[f"{_PACKAGE}/{name}.py"] = _source_of(name)
    return texts


def _source_of(name: str) -> str:
    """The text of a module beside this one, without loading it."""
    try:
        with open(os.path.join(os.path.dirname(__file__), f"{name}.py"), encoding="utf-8") as handle:
            return handle.read()
    except OSError:
        # Out of an archive, whose loader knows the sources.
        loader: Any = __spec__.loader if __spec__ is not None else None
        return str(loader.get_source(f"{__name__.rpartition('.')[0]}.{name}"))


def name_of(texts: dict[str, str]) -> str:
    """The file name of the program made of these sources."""
    known = hashlib.sha256()
    for path in sorted(texts):
        known.update(f"{path}\0{len(texts[path])}\0{texts[path]}".encode())
    return f"release-{known.hexdigest()[:12]}.pyz"


def build(texts: dict[str, str]) -> bytes:
    """The program for the Python that runs this."""
    import zipfile  # noqa: PLC0415 - a visit that finds the program in place does without

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in sorted(texts.items()):
            code = compile(text, path, "exec", dont_inherit=True)
            known = importlib.util.source_hash(text.encode())
            compiled = importlib.util.MAGIC_NUMBER + _UNCHECKED + known + marshal.dumps(code)
            for name, content in ((path, text.encode()), (f"{path}c", compiled)):
                entry = zipfile.ZipInfo(name)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, content)
    return buffer.getvalue()


def install(lib_dir: str = LIB_DIR) -> str:
    """Put this program in place and drop older ones, which no record needs: only one flip is armed."""
    here = _running_from()
    if here and os.path.dirname(here) == lib_dir:
        return here
    texts = sources()
    path = os.path.join(lib_dir, name_of(texts))
    if not _holds(path, texts):
        os.makedirs(lib_dir, mode=0o755, exist_ok=True)
        write_file(path, build(texts), 0o644)
    remove(lib_dir, path)
    return path


def _holds(path: str, texts: dict[str, str]) -> bool:
    """Whether a file is this program, whole. Bytecode of equal sources may differ, so it is not compared."""
    import zipfile  # noqa: PLC0415 - as in build

    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return False
            return all(archive.read(name) == text.encode() for name, text in texts.items())
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


def _running_from() -> str:
    """The file of the program, "" where this code runs as part of something else."""
    ours = __spec__ is not None and __name__.startswith(f"{_PACKAGE}.")
    return str(getattr(__spec__.loader, "archive", "")) if ours else ""


def remove(lib_dir: str, keep: str = "") -> None:
    """Remove the program in each version but the given one."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(lib_dir):
            full = os.path.join(lib_dir, name)
            if re.fullmatch(r"release-(undo-)?[0-9a-f]{12}\.pyz", name) and full != keep:
                with suppress(FileNotFoundError):
                    os.unlink(full)
