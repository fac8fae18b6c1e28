# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository that issues, pulls and releases are in, and what they name there.

People write labels, milestones and accounts by name; the forge takes ids, drops what it does not know with a
success, and answers an unknown account with an opaque 500. So names are looked up before anything is written,
in check mode too. All that is here only reads.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from .gitea_client import GiteaClient
from .gitea_ensure import KeepError, same_name
from .gitea_errors import ForbiddenError
from .gitea_repos import absent
from .gitea_types import Issue, Label, Milestone, PullRequest, Repo

# What the forge stores of a title, in columns; the rest it cuts off.
TITLE_COLUMNS = 255
_LATIN = 255
NO_MILESTONE = ""


def repo_of(forge: GiteaClient, name: str, *, opens: str = "") -> Repo:
    """Return a repository that is given as owner/name. KeepError when it has another name now.

    `opens` says what is to be opened in it; KeepError when it is archived.
    """
    if name.count("/") != 1:
        raise KeepError(f"repo: {name!r} is no repository; write owner/name")
    found = forge.get_repo(name)
    same_name("repository", name, found.full_name)
    if opens and found.archived:
        raise KeepError(f"repository {name} is archived; it takes no new {opens}")
    return found


def title_of(text: str) -> str:
    """Return a title as the forge stores it. KeepError when it cannot be one."""
    title = text.strip()
    if not title:
        raise KeepError("title: an empty one means nothing to the forge; write one, or leave it out")
    if sum(columns(char) for char in title) > TITLE_COLUMNS:
        raise KeepError(f"title: the forge cuts it at {TITLE_COLUMNS} columns; write a shorter one")
    return title


def columns(char: str) -> int:
    """Return how wide the forge takes a character for: two behind Latin-1, but one for marks and spaces."""
    if ord(char) <= _LATIN:
        return 1
    kind = unicodedata.category(char)
    return 1 if char != "\u3000" and (kind[0] in "MZ" or kind in ("Cf", "Cs")) else 2


def labels_of(
    forge: GiteaClient, repo: Repo, names: Iterable[str], there: Sequence[Label] = ()
) -> list[Label]:
    """Return the definitions of labels: what is `there` first, then the repository's, then its owner's."""
    wanted = list(dict.fromkeys(names))
    found = {label.name: label for label in reversed(there)}
    if not set(wanted) <= set(found):
        found = {label.name: label for label in _oldest_last(forge.list_labels(repo.full_name))} | found
    if not set(wanted) <= set(found):
        owners = absent(lambda: forge.list_labels(repo.owner))() or []
        found = {label.name: label for label in _oldest_last(owners)} | found
    missing = [name for name in wanted if name not in found]
    if missing:
        raise KeepError(f"labels: {', '.join(missing)} not defined in {repo.full_name} or for its owner")
    labels = [found[name] for name in wanted]
    _refuse_rivals(labels)
    return labels


def scope_of(label: Label) -> str:
    """Return the scope within which a label excludes others, "" when it excludes none."""
    return label.name.rpartition("/")[0] if label.exclusive else ""


def with_added(there: Sequence[Label], added: Sequence[Label]) -> list[str]:
    """Return the names that an issue has after labels were added: exclusive ones replace their scope's."""
    taken = {scope_of(label) for label in added} - {""}
    names = {label.name for label in added}
    kept = [label.name for label in there if label.name in names or scope_of(label) not in taken]
    return sorted({*kept, *names})


def milestone_of(forge: GiteaClient, repo: Repo, title: str) -> Milestone:
    """Return the milestone of a title, that of id 0 for no title. KeepError unless there is exactly one."""
    if title == NO_MILESTONE:
        return Milestone()
    found = [one for one in forge.list_milestones(repo.full_name) if one.title == title]
    if len(found) == 1:
        return found[0]
    if found:
        raise KeepError(f"milestone: {len(found)} of {repo.full_name} are called {title}; rename all but one")
    raise KeepError(f"milestone: {repo.full_name} has none called {title}")


def people_of(forge: GiteaClient, repo: Repo, logins: Iterable[str], there: Iterable[str] = ()) -> list[str]:
    """Return accounts in the forge's spelling, once each; `there` are known. KeepError for one that is not.

    Whom the token may not look up is left to the forge.
    """
    wanted = {login.casefold(): login for login in logins}
    spelled = {login.casefold(): login for login in there}
    if not set(wanted) <= set(spelled):
        spelled |= {user.login.casefold(): user.login for user in forge.list_assignees(repo.full_name)}
    for folded in [one for one in wanted if one not in spelled]:
        spelled[folded] = _spelling(forge, wanted[folded])
    return sorted(spelled[folded] for folded in wanted)


def refuse_open_blockers(forge: GiteaClient, repo: Repo, number: int) -> None:
    """Refuse to close what waits for open issues: the forge would, after it has written the rest."""
    waits = absent(lambda: forge.list_dependencies(repo.full_name, number))() or []
    numbers = [f"#{one.number}" for one in waits if one.state == "open"]
    if numbers:
        raise KeepError(
            f"number {number} of {repo.full_name} waits for {', '.join(numbers)}; close that first"
        )


def names_on(one: Issue | PullRequest) -> dict[str, object]:
    """Return the labels, assignees, milestone and author of an issue or a pull by name."""
    return {
        "labels": sorted(label.name for label in one.labels),
        "assignees": sorted({user.login for user in one.assignees}),
        "milestone": NO_MILESTONE if one.milestone is None else one.milestone.title,
        "author": "" if one.user is None else one.user.login,
    }


def _spelling(forge: GiteaClient, login: str) -> str:
    try:
        found = absent(lambda: forge.get_user(login))()
    except ForbiddenError:
        return login
    if found is None:
        raise KeepError(f"assignees: there is no account {login}")
    return found.login


def _oldest_last(labels: Iterable[Label]) -> list[Label]:
    """Of two with one name the older one is meant: issues carry it more often."""
    return sorted(labels, key=lambda label: -label.id)


def _refuse_rivals(labels: Sequence[Label]) -> None:
    scopes = [scope_of(label) for label in labels]
    rivals = [
        label.name for label, scope in zip(labels, scopes, strict=True) if scopes.count(scope) > 1 and scope
    ]
    if rivals:
        raise KeepError(f"labels: {', '.join(rivals)} exclude each other; keep one")
