# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release of the forge as a module keeps it: its texts, its tag, and the files attached to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .gitea_admin_types import Release
from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, single
from .gitea_place import repo_of
from .gitea_release_files import Attached, Upload, attach, compare, goal, hash_all, locals_of
from .gitea_repos import absent
from .gitea_session import first
from .gitea_transport import ContentError
from .gitea_types import Repo

ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "tag": {"type": "str", "required": True},
    "target": {"type": "str"},
    "title": {"type": "str"},
    "notes": {"type": "str"},
    "draft": {"type": "bool", "default": False},
    "prerelease": {"type": "bool"},
    "files": {
        "type": "list",
        "elements": "dict",
        "options": {"path": {"type": "path", "required": True}, "name": {"type": "str"}},
    },
    "purge": {"type": "bool", "default": False},
    "checksum_file": {"type": "str", "default": ""},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "remove_tag": {"type": "bool", "default": False},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "tag": {"type": "str"},
    "checksums": {"type": "bool", "default": False},
}
# What the forge calls these fields in its requests.
_SENT = {
    "title": "name",
    "notes": "body",
    "target": "target_commitish",
    "draft": "draft",
    "prerelease": "prerelease",
}
_FULL_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# As git has it: no space or control character, no ~^:?*[\, no .., @{ or //, and no odd beginning or end.
_TAG = re.compile(r"(?![-/.])(?!.*(\.\.|@\{|//|/\.|\.lock(/|$)))[^\x00-\x20\x7f~^:?*\[\\]{1,200}(?<![/.])")


def view(release: Release, attached: Attached) -> Fields:
    """Return a release as modules show it; the SHA-256 of a file is "" where it was not needed."""
    return {
        "id": release.id,
        "tag": release.tag_name,
        "target": release.target_commitish,
        "title": release.name,
        "notes": release.body,
        "draft": release.draft,
        "prerelease": release.prerelease,
        "files": attached.shown(),
        "author": "" if release.author is None else release.author.login,
        "html_url": release.html_url,
        "published_at": plain(release.published_at),
    }


RULES = Rules(blank=view(Release(), Attached(())))


def find(forge: GiteaClient, repo: str, tag: str) -> Release | None:
    """Return the release of a tag, also a draft that has none yet."""
    found = absent(lambda: forge.get_release_by_tag(repo, tag))()
    return found or first(forge.list_releases(repo), lambda one: one.tag_name == tag)


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the release is as wanted."""
    if not _TAG.fullmatch(params["tag"]):
        raise KeepError(f"tag: {params['tag']!r} is no name that git takes for a tag")
    repo = repo_of(forge, params["repo"])
    found = find(forge, repo.full_name, params["tag"])
    if params["state"] == "present":
        return _present(forge, repo, found, params)
    return _absent(forge, repo, found, params)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return the release of a tag, or all, the newest first."""
    repo = repo_of(forge, params["repo"]).full_name
    if params["tag"] is not None:
        found = find(forge, repo, params["tag"])
        rows = [] if found is None else [found]
    else:
        rows = forge.list_releases(repo)
    read = params["checksums"]
    return {
        "releases": [view(one, hash_all(forge, one.assets) if read else Attached(one.assets)) for one in rows]
    }


def _present(forge: GiteaClient, repo: Repo, found: Release | None, params: Mapping[str, Any]) -> Wish:
    sums_name, name = params["checksum_file"], repo.full_name
    uploads = locals_of(params["files"] or (), sums_name)
    rows = () if found is None else forge.list_attachments(name, found.id)
    attached, told = compare(forge, rows, uploads.values(), sums_name)
    wanted = declared(params, ("tag", "title", "notes", "draft", "prerelease"))
    files: dict[str, Upload | None] = {}
    if params["files"] is not None or sums_name:
        files = goal(attached, uploads, told, sums_name, purge=params["purge"])
        shown = attached.shown()
        wanted["files"] = {
            one: shown[one] if upload is None else upload.said for one, upload in sorted(files.items())
        }
    there = None if found is None else view(found, attached)
    _refuse_target(forge, repo, params)
    if params["target"] and (found is None or found.draft):
        wanted["target"] = params["target"]
    work = _Work(forge, name, attached, files)
    hands = Hands(create=work.create, update=work.update, delete=lambda _there: None)
    move = decide(there, wanted, RULES)
    _refuse_change(repo, move.kind, move.send, there or {})
    return single(f"release {params['tag']} of {name}", "release", move, hands)


def _absent(forge: GiteaClient, repo: Repo, found: Release | None, params: Mapping[str, Any]) -> Wish:
    name, tag = repo.full_name, params["tag"]
    tagged = params["remove_tag"] and absent(lambda: forge.get_tag(name, tag))() is not None

    def deleted(_there: Fields) -> None:
        if found is not None:
            forge.delete_release(name, found.id)
        if tagged:
            forge.delete_tag(name, tag)

    there = view(found or Release(tag_name=tag), Attached(found.assets if found else ()))
    move = decide(there if found is not None or tagged else None, None, RULES)
    hands = Hands(create=lambda fields: fields, update=lambda _there, fields: fields, delete=deleted)
    return single(f"release {tag} of {name}", "release", move, hands)


def _refuse_target(forge: GiteaClient, repo: Repo, params: Mapping[str, Any]) -> None:
    """Refuse a target that is not there, and a commit that the tag does not stand on."""
    target, tag = params["target"], params["tag"]
    if repo.empty:
        raise KeepError(f"repository {repo.full_name} is empty; a release needs a commit")
    if not target:
        return
    there = absent(lambda: forge.get_tag(repo.full_name, tag))()
    if there is not None:
        if _FULL_SHA.fullmatch(target) and there.sha != target:
            raise KeepError(f"target: tag {tag} stands on {there.sha} already; give a new release a new tag")
    elif absent(lambda: forge.get_commit(repo.full_name, target))() is None:
        raise KeepError(f"target: {repo.full_name} has no branch or commit {target}")


def _refuse_change(repo: Repo, kind: str, send: Fields, there: Fields) -> None:
    """Refuse what the forge fails at or ignores."""
    if kind and repo.archived:
        raise KeepError(f"repository {repo.full_name} is archived; its releases cannot be changed")
    for field in ("title", "notes"):
        if kind == "update" and send.get(field) == "" and there.get(field):
            raise KeepError(f"{field}: the forge cannot empty it; write another text")


@dataclass(frozen=True)
class _Work:
    """What a release of a repository has attached, and what it is to have."""

    forge: GiteaClient
    repo: str
    attached: Attached
    files: Mapping[str, Upload | None]

    def create(self, fields: Fields) -> Fields:
        """Create it as a draft while files are missing: whoever sees the release shall see all of it."""
        sent = {_SENT[name]: value for name, value in fields.items() if name in _SENT}
        draft = {**sent, "draft": sent["draft"] or bool(self.files)}
        made = self.forge.create_release(self.repo, fields["tag"], **draft)
        attached = self._attach(made.id)
        if made.draft and not sent["draft"]:
            made = self.forge.update_release(self.repo, made.id, draft=False)
        return view(made, attached)

    def update(self, there: Fields, fields: Fields) -> Fields:
        """Attach before anything is published."""
        attached = self._attach(there["id"]) if "files" in fields else self.attached
        sent = {_SENT[name]: value for name, value in fields.items() if name in _SENT}
        return view(self.forge.update_release(self.repo, there["id"], **sent), attached)

    def _attach(self, release_id: int) -> Attached:
        try:
            return attach(self.forge, self.repo, release_id, self.attached, self.files)
        except ContentError as error:
            raise KeepError(f"files: a file changed or went away while it was sent: {error}") from error
