# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an overlay must look like, checked over parsed data: each mistake is one line that names its fix."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from .overlay_channels import check_channels
from .overlay_cron import check_cron, check_same_job
from .overlay_documents import FRONTMATTER, check_memory, check_seed, check_skill, check_soul
from .overlay_doors import check_doors
from .overlay_fields import text_of
from .overlay_playbooks import check_playbook
from .overlay_portfolios import check_portfolios
from .overlay_problem import Problem
from .overlay_rules import check_ownership, check_ownership_shape
from .overlay_skins import check_skin


def check_overlay(
    tree: Mapping[str, bytes],
    parsed: Mapping[str, Any],
    *,
    toolsets: Collection[str] = (),
    providers: Mapping[str, Sequence[str]] | None = None,
    platforms: Collection[str] = (),
    fleet_provider: str = "",
) -> list[Problem]:
    """Every file of an overlay, as it stands on disk.

    ``toolsets``, ``providers`` and ``platforms`` are what the pinned Hermes knows; ``fleet_provider`` is
    timmy_model's.
    """
    problems: list[Problem] = []
    ownership = parsed.get("ownership.yml")
    shape = check_ownership_shape(ownership)
    problems += shape
    if isinstance(ownership, Mapping) and not shape:
        problems += check_ownership(tree, ownership)
    problems += [
        Problem(path, "", "is missing; copy it from the collection's overlay")
        for path in ("SOUL.md", "HEART.md", "config.yaml", "seed/config.yaml", "fallback-portfolios.yaml")
        if path not in tree
    ]
    portfolios = parsed.get("fallback-portfolios.yaml")
    if portfolios is not None:
        problems += check_portfolios(portfolios, providers=providers, fleet_provider=fleet_provider)
    classes = portfolios.get("classes", {}) if isinstance(portfolios, Mapping) else {}
    for path in sorted(tree):
        problems += _check_file(path, tree, parsed, classes, toolsets)
    if "channel_directory.json" in parsed:
        problems += check_channels(parsed["channel_directory.json"], platforms=platforms)
    return problems


def _check_file(
    path: str,
    tree: Mapping[str, bytes],
    parsed: Mapping[str, Any],
    classes: Collection[str],
    toolsets: Collection[str],
) -> Iterator[Problem]:
    try:
        tree[path].decode("utf-8")
    except UnicodeDecodeError as error:
        yield Problem(path, "", f"is not UTF-8 (byte {error.start}); save it as UTF-8")
        return
    data = parsed.get(path)
    folder, _slash, name = path.rpartition("/")
    if path in ("SOUL.md", "HEART.md"):
        yield from check_soul(path, text_of(tree, path))
    elif path == "seed/config.yaml":
        yield from check_seed(path, data)
    elif path == "bin/doors.txt":
        yield from check_doors(path, tree)
    elif folder == "memories":
        yield from check_memory(path, text_of(tree, path))
    elif folder == "skins":
        yield from check_skin(path, data)
    elif folder == "playbooks":
        yield from check_playbook(path, data, classes, toolsets)
    elif folder == "cron":
        yield from check_cron(path, data, toolsets)
    elif path.startswith("skills/"):
        yield from check_skill(path, text_of(tree, path), parsed.get(path + FRONTMATTER), name)
    if folder == "cron" and isinstance(data, Mapping):
        yield from check_same_job(path, data, parsed)
