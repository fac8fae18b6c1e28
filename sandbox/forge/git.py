# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One bare repository, through the host's git. Nothing here knows of accounts or rules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ZERO = "0" * 40
SHA = re.compile(r"[0-9a-f]{40}")
# Nothing of the machine's own configuration may change what a merge does.
BASE_ENV = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
}


class GitError(Exception):
    """git said no. The text is its standard error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text.strip())
        self.code = code


class Signature(dict[str, str]):
    """Author and committer of a commit, as environment."""

    @classmethod
    def of(cls, name: str, email: str, when: int) -> Signature:
        """Return one person as author and committer."""
        found = cls()
        for role in ("AUTHOR", "COMMITTER"):
            found[f"GIT_{role}_NAME"] = name or "forge"
            found[f"GIT_{role}_EMAIL"] = email
            found[f"GIT_{role}_DATE"] = f"@{when} +0000"
        return found


class Git:
    """Commands on one repository. ``keep`` is handed to every child: see lock.py."""

    def __init__(self, path: Path, keep: Sequence[int] = ()) -> None:
        self.path = path
        self._keep = tuple(keep)

    def run(
        self,
        *argv: str,
        env: dict[str, str] | None = None,
        data: bytes | None = None,
        ok: Sequence[int] = (0,),
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git here. :raises GitError: when it ends with a code that is not in ``ok``."""
        done = subprocess.run(
            ["git", "-c", "gc.auto=0", *argv],
            cwd=self.path,
            env=BASE_ENV | {"GIT_DIR": str(self.path)} | (env or {}),
            input=b"" if data is None else data,
            capture_output=True,
            check=False,
            pass_fds=self._keep,
        )
        if done.returncode not in ok:
            raise GitError(done.returncode, done.stderr.decode("utf-8", "replace"))
        return done

    def text(self, *argv: str, env: dict[str, str] | None = None, data: bytes | None = None) -> str:
        """Return what git prints, without the last newline."""
        return self.run(*argv, env=env, data=data).stdout.decode("utf-8", "replace").rstrip("\n")

    def init(self, branch: str) -> None:
        """Make the repository; a half-made one of an earlier, killed attempt goes first."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        self.run("init", "--quiet", "--bare", f"--initial-branch={branch}", str(self.path))

    def sha(self, name: str) -> str | None:
        """Return the full id that a revision names, or None."""
        if not name or name.startswith("-"):
            return None
        done = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", name, ok=(0, 1, 128))
        return done.stdout.decode().strip() or None if done.returncode == 0 else None

    def commit_sha(self, name: str) -> str | None:
        """Return the commit that a revision leads to, or None."""
        return self.sha(f"{name}^{{commit}}") if name and not name.startswith("-") else None

    def branch(self, name: str) -> str | None:
        """Return the tip of a branch, or None: read from the files, in the order in which git does."""
        ref = f"refs/heads/{name}"
        if not name or any(part in {"", ".", ".."} for part in name.split("/")) or "\0" in name:
            return None
        try:
            text = (self.path / ref).read_text(encoding="ascii", errors="replace").strip()
        except (OSError, ValueError):
            return self._packed(ref)
        return text if SHA.fullmatch(text) else self.sha(ref)

    def _packed(self, ref: str) -> str | None:
        try:
            text = (self.path / "packed-refs").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        found = [line[:40] for line in text.splitlines() if line[41:] == ref and SHA.fullmatch(line[:40])]
        return found[0] if found else None

    def refs(self, *patterns: str) -> list[tuple[str, str, str]]:
        """Return (name, type, id) of the refs below the patterns, sorted by name."""
        form = "%(refname) %(objecttype) %(objectname)"
        lines = self.text("for-each-ref", f"--format={form}", *patterns).splitlines()
        return [(parts[0], parts[1], parts[2]) for parts in (line.split(" ") for line in lines)]

    def update(self, ref: str, new: str, old: str) -> None:
        """Move a ref from exactly ``old`` (zeros: absent) to ``new`` (zeros: gone).

        :raises GitError: if it moved meanwhile.
        """
        if new == ZERO:
            self.run("update-ref", "-d", ref, old)
        else:
            self.run("update-ref", ref, new, old)

    def merge_base(self, one: str, two: str) -> str:
        """Return the common ancestor, or nothing."""
        return self.run("merge-base", one, two, ok=(0, 1)).stdout.decode().strip().partition("\n")[0]

    def is_ancestor(self, old: str, new: str) -> bool:
        """Say whether ``new`` contains ``old``."""
        return self.run("merge-base", "--is-ancestor", old, new, ok=(0, 1)).returncode == 0

    def merge_tree(self, ours: str, theirs: str) -> str | None:
        """Return the tree of a merge, or None when it conflicts."""
        done = self.run("merge-tree", "--write-tree", "--allow-unrelated-histories", ours, theirs, ok=(0, 1))
        return done.stdout.decode().partition("\n")[0].strip() if done.returncode == 0 else None

    def commit_tree(self, tree: str, parents: Sequence[str], message: str, who: dict[str, str]) -> str:
        """Return the id of a new commit."""
        flags = [word for parent in parents for word in ("-p", parent)]
        return self.text("commit-tree", tree, *flags, "-F", "-", env=dict(who), data=message.encode())

    def pick(self, commit: str, onto: str, who: dict[str, str]) -> str | None:
        """Return a copy of one commit on top of another, or None when it conflicts.

        merge-tree wants a common ancestor that git finds by itself, so both sides get a made-up parent with
        the commit's old tree.
        """
        parent = f"{commit}^"
        old = self.sha(f"{parent}^{{tree}}") or self.text("mktree", data=b"")
        root = self.commit_tree(old, (), "base", who)
        ours = self.commit_tree(f"{onto}^{{tree}}", (root,), "ours", who)
        theirs = self.commit_tree(f"{commit}^{{tree}}", (root,), "theirs", who)
        tree = self.merge_tree(ours, theirs)
        if tree is None:
            return None
        raw = self.run("show", "-s", "--format=%an%x00%ae%x00%ad%x00%B", "--date=raw", commit).stdout.decode(
            "utf-8", "replace"
        )
        name, email, date, message = raw.split("\0", 3)
        author = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email, "GIT_AUTHOR_DATE": date}
        return self.commit_tree(tree, (onto,), message.rstrip("\n") + "\n", dict(who) | author)

    def rebase(self, head: str, onto: str, who: dict[str, str]) -> str | None:
        """Return the head with its own commits copied on top of ``onto``, or None when one conflicts."""
        if self.is_ancestor(onto, head):
            return head
        tip = onto
        listed = self.text("rev-list", "--reverse", "--no-merges", "--topo-order", f"{onto}..{head}")
        for commit in listed.split():
            new = self.pick(commit, tip, who)
            if new is None:
                return None
            same = self.sha(f"{new}^{{tree}}") == self.sha(f"{tip}^{{tree}}")
            tip = tip if same else new
        return tip

    def changed(self, old: str, new: str) -> list[str]:
        """Return the paths that differ between two commits."""
        raw = self.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new).stdout
        return [name.decode("utf-8", "replace") for name in raw.split(b"\0") if name]
