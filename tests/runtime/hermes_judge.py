# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Hermes as a judge: it evaluates an expression in each of many homes and says what it made of them.

Runs in Hermes' own interpreter. stdin: [[home, managed, expression], …]; stdout: one answer each, as text.
Every expression has a process of its own, forked from one that has Hermes' modules loaded already.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import types
from pathlib import Path
from typing import Any

LOADED = ("yaml", "hermes_cli.config", "hermes_cli.auth", "gateway.config", "toolsets")
PLAIN = ("cli", "hermes_constants", "hermes_time", "logging", "os", "toolsets")
PACKAGES = ("agent", "hermes_cli", "gateway", "tools", "cron", "plugins", "providers")


def names_in(code: types.CodeType) -> set[str]:
    """Every name that an expression uses, within its lambdas too."""
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return {*code.co_names, *(name for one in inner for name in names_in(one))}


def modules_in(code: types.CodeType) -> dict[str, Any]:
    """The modules that an expression names; the dots of a name are two underscores there."""
    names = [name for name in names_in(code) if "__" in name or name in PLAIN]
    return {name: importlib.import_module(name.replace("__", ".")) for name in names}


def leaf(dotted: str) -> Any:
    value = importlib.import_module("hermes_cli.config").load_config()
    for key in dotted.split("."):
        value = value[key]
    return value


def gateway() -> Any:
    return importlib.import_module("gateway.config").load_gateway_config()


def takes(function: Any, *values: Any) -> bool:
    """Whether a reader of Hermes' accepts a value; one that raises or gives nothing does not."""
    try:
        return bool(function(*values))
    except (NameError, ImportError):
        raise
    except Exception:
        return False


def answer(home: str, managed: str, expression: str) -> str:
    os.environ.update(HERMES_HOME=home, HERMES_MANAGED_DIR=managed)
    code = compile(expression, "a judge", "eval")
    helpers = {"leaf": leaf, "gateway": gateway, "takes": takes}
    try:
        return repr(eval(code, {**modules_in(code), **helpers}))  # noqa: S307 - the table is ours
    except Exception as error:
        return f"raises {type(error).__name__}"


def forked(*given: str) -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)
        os.write(writer, answer(*given).encode("utf-8")[:60_000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as source:
        said = source.read().decode("utf-8")
    os.waitpid(child, 0)
    return said


def words() -> set[str]:
    """Every quoted word in Hermes' source: a key that is not among them is read by nobody."""
    place = Path(importlib.import_module("hermes_cli").__file__ or "").parents[1]
    files = [*place.glob("*.py"), *(file for name in PACKAGES for file in (place / name).rglob("*.py"))]
    pattern = re.compile(r"""["']([A-Za-z_][A-Za-z0-9_.-]{2,60})["']""")
    return {word for file in files for word in pattern.findall(file.read_text("utf-8", "replace"))}


def main() -> None:
    for name in LOADED:
        importlib.import_module(name)
    cases = json.load(sys.stdin)
    known = words()
    answers = [str(one[2][7:] in known) if one[2].startswith("unread:") else forked(*one) for one in cases]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
