# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only Hermes' own environment has: its libraries, the YAML library among them."""

from __future__ import annotations

import importlib
from typing import Any


def library(name: str) -> Any:
    """A library that only Hermes' own environment has."""
    return importlib.import_module(name)


def load_mapping(path: str, name: str) -> tuple[dict[str, Any], list[str]]:
    """A YAML file as a mapping and what is wrong with it, under the name that the operator knows it by."""
    yaml = library("yaml")
    try:
        with open(path, encoding="utf-8") as handle:
            data = yaml.safe_load(handle)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return {}, [f"{name}: {' '.join(str(error).split())}"]
    if not isinstance(data, dict):
        return {}, [f"{name}: must be a mapping"]
    return data, []


def dump_yaml(data: Any, out: Any) -> None:
    """Write data in the form in which Hermes writes its own files."""
    yaml = library("yaml")
    yaml.safe_dump(data, out, sort_keys=False, allow_unicode=True, default_flow_style=False)


def write_yaml(path: str, data: Any) -> None:
    """A new YAML file."""
    with open(path, "w", encoding="utf-8") as out:
        dump_yaml(data, out)
