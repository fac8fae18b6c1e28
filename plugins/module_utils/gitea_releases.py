# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases, the files attached to them, and the tags that they stand on."""

from __future__ import annotations

import hashlib
from typing import Any

from .gitea_admin_types import Attachment, Release
from .gitea_once import post_once
from .gitea_session import Session, first
from .gitea_transport import Content
from .gitea_types import Commit, Tag
from .gitea_url import repo_path, segments, with_query


class Releases(Session):
    """The forge's releases."""

    def list_releases(self, repo: str) -> list[Release]:
        """Return all releases, drafts included where the account may see them."""
        return self.read_list(Release, "releases", repo_path(repo, "releases"))

    def get_release_by_tag(self, repo: str, tag: str) -> Release:
        """Return the release of a tag; a draft too, for accounts that may write."""
        return self.read(Release, repo_path(repo, "releases", "tags", tag))

    def create_release(self, repo: str, tag: str, **fields: Any) -> Release:
        """Create a release, and its tag at `target_commitish` where there is none; a draft makes no tag."""

        def find() -> Release | None:
            return first(self.list_releases(repo), lambda one: one.tag_name == tag)

        return self.create(Release, repo_path(repo, "releases"), {**fields, "tag_name": tag}, find, slow=True)

    def update_release(self, repo: str, release_id: int, **fields: Any) -> Release:
        """Change the fields that are given; the forge ignores an empty name or body."""
        return self.write_typed(Release, "PATCH", repo_path(repo, "releases", release_id), fields)

    def delete_release(self, repo: str, release_id: int) -> None:
        """Delete a release with its attachments; its tag stays."""
        self.delete(repo_path(repo, "releases", release_id))

    # --- attachments

    def list_attachments(self, repo: str, release_id: int) -> list[Attachment]:
        """Return the files of a release; names need not be unique."""
        path = repo_path(repo, "releases", release_id, "assets")
        return self.read_list(Attachment, "release assets", path)

    def create_attachment(self, repo: str, release_id: int, name: str, content: Content) -> Attachment:
        """Attach a file once. Raises ContentError when it cannot be read as announced."""
        path = repo_path(repo, "releases", release_id, "assets")
        before = {one.id for one in self.list_attachments(repo, release_id)}

        def post() -> Attachment:
            full = with_query(path, {"name": name})
            return self.made(Attachment, full, self.transport.send("POST", full, content, slow=True))

        def find() -> Attachment | None:
            return first(
                self.list_attachments(repo, release_id),
                lambda one: (one.name, one.size) == (name, content.length) and one.id not in before,
            )

        return post_once(post, find, self.retry)

    def delete_attachment(self, repo: str, release_id: int, attachment_id: int) -> None:
        """Remove a file of a release."""
        self.delete(repo_path(repo, "releases", release_id, "assets", attachment_id))

    def hash_attachment(self, uuid: str) -> str:
        """Return the SHA-256 of an attachment's bytes, read piece by piece."""

        def attempt() -> str:
            digest = hashlib.sha256()
            self.transport.fetch(segments("attachments", uuid), digest.update)
            return digest.hexdigest()

        return self.retry.run(attempt)

    def read_attachment(self, uuid: str) -> bytes:
        """Return an attachment's bytes; for small ones."""

        def attempt() -> bytes:
            data = bytearray()
            self.transport.fetch(segments("attachments", uuid), data.extend)
            return bytes(data)

        return self.retry.run(attempt)

    # --- tags

    def get_tag(self, repo: str, tag: str) -> Tag:
        """Return a tag."""
        return self.read(Tag, repo_path(repo, "tags", tag))

    def delete_tag(self, repo: str, tag: str) -> None:
        """Delete a tag. ConflictError while a release stands on it."""
        self.delete(repo_path(repo, "tags", tag))

    def get_commit(self, repo: str, name: str) -> Commit:
        """Return the commit that a branch, a tag or an id stands for."""
        return self.read(Commit, repo_path(repo, "git", "commits", name))
