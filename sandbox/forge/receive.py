# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What git's hooks ask while a push is being received. Run by git, not by the server.

receive.py pre      reads "old new ref" lines; a line on standard error and exit 1 refuse the whole push
receive.py post     writes one row per moved branch or tag, for the server to work on
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from . import permissions, rules
from .git import ZERO, Git
from .store import Row, Store, must

QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
HEADS = "refs/heads/"


def _store() -> tuple[Store, Row, Row | None]:
    store = Store(Path(os.environ["FORGE_STATE"]) / "forge.sqlite3", create=False)
    return (
        store,
        must(store.get("repo", int(os.environ["FORGE_REPO"]))),
        store.get("user", int(os.environ["FORGE_USER"])),
    )


def _changed(git: Git, old: str, new: str, env: dict[str, str]) -> list[str]:
    """Return the paths that any pushed commit touches, so that a change and its undo count as well."""
    span = [new] if old == ZERO else [f"{old}..{new}"]
    hidden = ["--not", "--all"] if old == ZERO else []
    argv = ["log", "--format=", "--name-only", "-z", "--no-renames", "-m", *span, *hidden]
    raw = git.run(*argv, env=env).stdout
    return sorted({name.decode("utf-8", "replace").strip("\n") for name in raw.split(b"\0")} - {""})


class Push:
    """A push that is being received; ``env`` lets git see the objects that are not taken yet."""

    def __init__(self, db: Store, repo: Row, user: Row, git: Git, env: dict[str, str]) -> None:
        self.db, self.repo, self.user, self.git, self.env = db, repo, user, git, env

    def refusal(self, old: str, new: str, ref: str) -> str:
        """Return why one ref may not move so, or nothing. Only branches have rules."""
        if not ref.startswith(HEADS):
            return ""
        branch = ref.removeprefix(HEADS)
        rule = rules.rule_for(self.db, self.repo["id"], branch)
        if new == ZERO and branch == self.repo["default_branch"]:
            return f"branch {branch} is the default branch and cannot be deleted"
        return "" if rule is None else self._ruled(rule, branch, old, new)

    def _rewrites(self, old: str, new: str) -> bool:
        argv = ["merge-base", "--is-ancestor", old, new]
        return old != ZERO and self.git.run(*argv, env=self.env, ok=(0, 1)).returncode != 0

    def _ruled(self, rule: rules.Rule, branch: str, old: str, new: str) -> str:
        if new == ZERO:
            return f"branch {branch} is protected from deletion"
        if self._rewrites(old, new) and not rule.may_force(self.db, self.user):
            return f"branch {branch} is protected from force push"
        paths = _changed(self.git, old, new, self.env)
        locked = rule.protected(paths)
        if locked:
            return f"branch {branch} is protected from changing file {locked[0]}"
        if not rule.may_push(self.db, self.user) and not rule.only_free(paths):
            return f"Not allowed to push to protected branch {branch}"
        return ""


def _lines() -> list[tuple[str, str, str]]:
    found = []
    for line in sys.stdin.read().splitlines():
        old, new, ref = line.split(" ", 2)
        found.append((old, new, ref))
    return found


def pre() -> int:
    """Allow or refuse a push."""
    db, repo, user = _store()
    env = {name: os.environ[name] for name in QUARANTINE if name in os.environ}
    git = Git(Path(os.environ["FORGE_STATE"]) / "repositories" / f"{repo['id']}.git")
    reason = ""
    if user is None or permissions.access(db, repo, user).of(permissions.CODE) < permissions.WRITE:
        reason = "User permission denied for writing."
    else:
        push = Push(db, repo, user, git, env)
        reasons = (push.refusal(*change) for change in _lines())
        reason = next((text for text in reasons if text), "")
    if reason:
        print(f"\nerror:\nerror: {reason}\nerror:", file=sys.stderr)
    return 1 if reason else 0


def post() -> int:
    """Write down what was pushed."""
    moved = [change for change in _lines() if change[2].startswith((HEADS, "refs/tags/"))]
    if moved:
        db, repo, user = _store()
        git = Git(Path(os.environ["FORGE_STATE"]) / "repositories" / f"{repo['id']}.git")
        with db.write():
            for old, new, ref in moved:
                # What a new branch brings is counted from the default branch as it is now, not as it will be.
                base = git.branch(repo["default_branch"]) if old == ZERO else ""
                columns = {
                    "base": base or "",
                    "repo_id": repo["id"],
                    "user_id": 0 if user is None else user["id"],
                    "ref": ref,
                }
                db.insert("push_event", **columns, old=old, new=new, source="git", created=time.time())
    return 0


def install(hooks: Path) -> None:
    """Write the hooks that every repository uses; where the program is comes by environment."""
    hooks.mkdir(parents=True, exist_ok=True)
    python = 'exec "$FORGE_PYTHON" -S -B -c "import sys; sys.path.insert(0, sys.argv[1]);'
    python += " from forge import receive;"
    texts = {
        "pre-receive": f'#!/bin/sh\n{python} sys.exit(receive.pre())" "$FORGE_PACKAGE"\n',
        "post-receive": f'#!/bin/sh\n{python} sys.exit(receive.post())" "$FORGE_PACKAGE"\n',
        "update": "#!/bin/sh\ncase $1 in refs/pull/*) exit 1 ;; esac\n",
    }
    for name, text in texts.items():
        temporary = hooks / f".{name}"
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o755)
        temporary.rename(hooks / name)
