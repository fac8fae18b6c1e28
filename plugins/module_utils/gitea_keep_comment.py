# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A comment on an issue or a pull as a module keeps it: one of each key, and a marker in it holds the key.

Anybody who may comment could write the marker as well, so only the comments of one account count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide
from .gitea_errors import BadTokenError, ForbiddenError
from .gitea_once import marked, remarked, unmarked
from .gitea_place import repo_of
from .gitea_types import Comment

ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "number": {"type": "int", "required": True},
    "key": {"type": "str", "required": True, "no_log": False},
    "body": {"type": "str"},
    "author": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "number": {"type": "int", "required": True},
    "key": {"type": "str", "no_log": False},
    "author": {"type": "str"},
}
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PREFIX = "comment."


def marker_of(key: str) -> str:
    """Return the marker of a key. Raises KeepError."""
    if not _KEY.fullmatch(key):
        raise KeepError(f"key: {key!r} is none; write 1 to 64 letters, digits, dots, dashes or underscores")
    return _PREFIX + key


def key_of(comment: Comment) -> str:
    """Return the key that a comment has, "" when it has none."""
    keys = [marker for marker in unmarked(comment.body)[1] if marker.startswith(_PREFIX)]
    return keys[0].removeprefix(_PREFIX) if keys else ""


def view(comment: Comment) -> Fields:
    """Return a comment as modules show it."""
    return {
        "id": comment.id,
        "key": key_of(comment),
        "body": unmarked(comment.body)[0],
        "author": "" if comment.user is None else comment.user.login,
        "html_url": comment.html_url,
        "created_at": plain(comment.created_at),
        "updated_at": plain(comment.updated_at),
    }


RULES = Rules(blank=view(Comment()))


def keyed(comments: Sequence[Comment], key: str, author: str) -> list[Comment]:
    """Return the comments of one account that have a key, the oldest first."""
    folded = author.casefold()
    return [
        one
        for one in sorted(comments, key=lambda one: one.id)
        if key_of(one) == key and one.user is not None and one.user.login.casefold() == folded
    ]


def author_of(forge: GiteaClient, given: str | None) -> str:
    """Return whose comments count: the account that is given, else the one that asks."""
    if given:
        return given
    try:
        return forge.whoami().login
    except (BadTokenError, ForbiddenError) as error:
        raise KeepError(
            "author: name the account that comments; the token may not tell it, for that it needs the scope"
            f" read:user ({error.reason})"
        ) from error


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the comment is as wanted."""
    name, number, key = params["repo"], params["number"], params["key"]
    marker, present = marker_of(key), params["state"] == "present"
    body = params["body"] or ""
    if present and not body.strip():
        raise KeepError("body: write what the comment is to say, or state absent to take it away")
    repo_of(forge, name)
    found = keyed(forge.list_comments(name, number), key, author_of(forge, params["author"]))
    if present and not found:
        repo_of(forge, name, opens="comments")
    one = found[0] if found else None

    def created(fields: Fields) -> Fields:
        return view(forge.create_comment(name, number, marked(fields["body"], marker)))

    def updated(there: Fields, fields: Fields) -> Fields:
        text = remarked(fields["body"], one.body if one else "")
        return view(forge.update_comment(name, there["id"], text))

    def deleted(_there: Fields) -> None:
        for each in found:
            forge.delete_comment(name, each.id)

    wanted = {"key": key, "body": body} if present else None
    move = decide(view(one) if one else None, wanted, RULES)
    doubles = [
        f"comment {each.id} has the key {key} as well; state absent removes both" for each in found[1:]
    ]
    return Wish(
        f"comment {key} on #{number} of {name}",
        "comment",
        (move,),
        Hands(created, updated, deleted),
        warnings=doubles if present else (),
    )


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return the comments on an issue or a pull, or those of a key or an account, the oldest first."""
    repo_of(forge, params["repo"])
    rows = forge.list_comments(params["repo"], params["number"])
    key, author = params["key"], (params["author"] or "").casefold()
    shown = [view(one) for one in sorted(rows, key=lambda one: one.id)]
    return {
        "comments": [
            row
            for row in shown
            if key in (None, row["key"]) and author in ("", str(row["author"]).casefold())
        ]
    }
