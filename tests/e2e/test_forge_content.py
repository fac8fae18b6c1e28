# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of the forge as the role `forge` made it: who may do what, asked with each one's token."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import fleet as live
import forge_host
import pytest

WORK = "v1/repos/fleet/work"
PLACES = {
    "gitea-forge": {
        "/etc/timmy 755 root root",
        "/etc/timmy/forge 755 root root",
        "/etc/timmy/forge/checks 640 root timmy",
        "/etc/timmy/forge/landing 640 root timmy",
        "/etc/timmy/forge-tokens 700 root root",
        *(
            f"/etc/timmy/forge-tokens/{name} 600 root root"
            for name in ("timmy", "checks", "landing", "bezalel", "ezra", "allegro")
        ),
    },
    "bezal": {
        "/etc/timmy 755 root root",
        "/etc/timmy/forge 755 root root",
        "/etc/timmy/forge/bezalel 640 root bezalel",
        "/etc/timmy/forge/timmy 640 root timmy",
    },
}
BROUGHT = {"timmy": "bezal", "bezalel": "bezal", "checks": "gitea-forge", "landing": "gitea-forge"}
DUTIES = ("timmy", "checks", "landing")


@pytest.fixture(name="forge")
def the_forge() -> forge_host.Forge:
    return forge_host.current()


def host(name: str) -> live.Host:
    """Return a host of the scenario."""
    listed = forge_host.listed()
    return live.Host(name, listed["_meta"]["hostvars"][name])


def token(account: str) -> str:
    """Return the token of an account, from the host that it was brought to."""
    return host(BROUGHT[account]).run("cat", f"/etc/timmy/forge/{account}").ok().strip()


def declared() -> list[dict[str, Any]]:
    """Return the wizards of the scenario."""
    found: list[dict[str, Any]] = host("bezal").vars["timmy_wizards"]
    return found


def places(name: str) -> set[str]:
    """Return what lies below /etc/timmy of a host."""
    found = host(name).sh("[ ! -e /etc/timmy ] || find /etc/timmy -exec stat --format '%n %a %U %G' {} +")
    return set(found.ok().splitlines())


class Clone:
    """A clone of the work repository that pushes as one account."""

    def __init__(self, forge: forge_host.Forge, account: str, folder: Path) -> None:
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: token {token(account)}",
            "GIT_TERMINAL_PROMPT": "0",
        }
        self._folder = folder
        self.git("clone", "--quiet", f"{forge.url}/fleet/work.git", account)
        self._folder = folder / account

    def tried(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run git and return how it ended."""
        who = ("-c", "user.name=t", "-c", "user.email=t@forge.test")
        return subprocess.run(
            ["git", *who, *argv],
            env=self._env,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def git(self, *argv: str) -> str:
        """Run git, which has to work, and return what it said."""
        done = self.tried(*argv)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def branch(self, name: str, path: str) -> str:
        """Commit a file on a branch of its own from the forge's main, and return the commit."""
        self.git("fetch", "--quiet", "origin")
        self.git("switch", "--quiet", "--create", name, "origin/main")
        file = self._folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(name)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", name)
        return self.git("rev-parse", "HEAD")


def landed(forge: forge_host.Forge, number: int, head: str, account: str = "landing") -> tuple[int, Any]:
    """Try to merge a pull request, again while the forge is still looking at it."""
    body = {"Do": "fast-forward-only", "head_commit_id": head}
    until = time.monotonic() + 60
    while True:
        answer = forge.api("POST", f"{WORK}/pulls/{number}/merge", body, token=token(account))
        if answer[0] != 405 or "try again later" not in str(answer[1]) or time.monotonic() > until:
            return answer
        time.sleep(0.5)


def green(forge: forge_host.Forge, head: str, account: str = "checks", state: str = "success") -> int:
    """Post the required status and return what the forge answers."""
    body = {"context": "timmy/check", "state": state}
    return forge.api("POST", f"{WORK}/statuses/{head}", body, token=token(account))[0]


def pull(forge: forge_host.Forge, head: str) -> int:
    """Open a pull request as the account that publishes, and return its number."""
    body = {"title": head, "head": head, "base": "main"}
    status, made = forge.api("POST", f"{WORK}/pulls", body, token=token("timmy"))
    assert status == 201, made
    return int(made["number"])


def test_each_token_is_where_it_is_needed_and_nowhere_else() -> None:
    assert {name: places(name) for name in PLACES} == PLACES
    assert len({token(account) for account in BROUGHT}) == len(BROUGHT)


def test_no_token_is_anywhere_else() -> None:
    """Not in a journal, an argument or what the runs printed; a webhook's secret neither."""
    logs = "".join(Path(name).read_text(errors="replace") for name in os.environ["TIMMY_E2E_LOGS"].split(":"))
    assert "timmy.config.forge : Provide the tokens" in logs
    kept = host("gitea-forge").sh("cat /etc/timmy/forge-tokens/*").ok().split()
    assert len(kept) == 6
    # What converge.yml signs the webhook with.
    kept.append(hashlib.sha256(os.environ["TIMMY_ROOT"].encode()).hexdigest())
    spoken = "".join(
        host(name).sh("journalctl --no-pager --output cat; cat /proc/[0-9]*/cmdline | tr '\\0' ' '").out
        for name in PLACES
    )
    assert [one for one in kept if one in logs + spoken] == []


def test_the_content_is_as_declared(forge: forge_host.Forge) -> None:
    admin = forge.token()
    labels = forge.api("GET", f"{WORK}/labels?limit=50", token=admin)[1]
    assert {one["name"] for one in labels if one["exclusive"]} == {
        f"fleet/{state}"
        for state in ("ready", "claimed", "review", "rework", "needs-human", "poison", "landed")
    }
    teams = forge.api("GET", "v1/orgs/fleet/teams?limit=50", token=admin)[1]
    assert {team["name"]: set(team["units_map"].values()) - {"none"} for team in teams} == {
        "Owners": {"owner"},
        "readers": {"read"},
        "publishers": {"write"},
        "checkers": {"read", "write"},
        "landers": {"write"},
    }
    (rule,) = forge.api("GET", f"{WORK}/branch_protections", token=admin)[1]
    assert (rule["rule_name"], rule["enable_push"], rule["enable_merge_whitelist"]) == ("main", False, True)
    assert (rule["merge_whitelist_usernames"], rule["merge_whitelist_teams"] or []) == (["landing"], [])
    assert (rule["status_check_contexts"], rule["protected_file_patterns"]) == (["timmy/check"], ".timmy/**")
    assert rule["block_admin_merge_override"] is True
    (hook,) = forge.api("GET", "v1/orgs/fleet/hooks", token=admin)[1]
    assert (hook["config"]["url"], hook["active"]) == ("http://127.0.0.1:9/hook", True)
    assert forge.api("GET", "v1/orgs/fleet")[0] == 403
    assert forge.api("GET", "v1/orgs/fleet", token=admin)[1]["visibility"] == "private"


def test_accounts_and_repositories_can_do_no_more_than_is_needed(forge: forge_host.Forge) -> None:
    admin = forge.token()
    people = forge.api("GET", "v1/admin/users?limit=50", token=admin)[1]
    mine = {
        one["login"]: (one["restricted"], one["is_admin"], one["visibility"])
        for one in people
        if one["login"] not in ("forge-admin", "reader")
    }
    assert mine == dict.fromkeys([*(one["name"] for one in declared()), *DUTIES], (True, False, "private"))
    for name in ("work", "timmy-home", "ledger"):
        repo = forge.api("GET", f"v1/repos/fleet/{name}", token=admin)[1]
        styles = {key for key, value in repo.items() if key.startswith("allow_") and value is True}
        assert styles - {"allow_rebase_update", "allow_maintainer_edit"} == {"allow_fast_forward_only_merge"}
        assert (repo["private"], repo["has_wiki"], repo["default_merge_style"]) == (
            True,
            False,
            "fast-forward-only",
        )


def test_an_agent_reads_and_does_nothing_else(forge: forge_host.Forge, tmp_path: Path) -> None:
    mine = token("bezalel")
    for path in (WORK, f"{WORK}/issues", f"{WORK}/pulls", "v1/repos/fleet/timmy-home"):
        assert forge.api("GET", path, token=mine)[0] == 200, path
    clone = Clone(forge, "bezalel", tmp_path)
    head = clone.branch("agent/0-e1", "agent.txt")
    answers = {
        "issue": forge.api("POST", f"{WORK}/issues", {"title": "t"}, token=mine)[0],
        "label": forge.api("POST", f"{WORK}/labels", {"name": "l", "color": "#fff"}, token=mine)[0],
        "pull": forge.api("POST", f"{WORK}/pulls", {"title": "t"}, token=mine)[0],
        "status": green(forge, clone.git("rev-parse", "origin/main"), "bezalel"),
        "merge": landed(forge, 1, head, "bezalel")[0],
        "repository": forge.api("POST", "v1/user/repos", {"name": "mine"}, token=mine)[0],
        "account": forge.api("GET", "v1/user", token=mine)[0],
        "token": forge.api("POST", "v1/users/bezalel/tokens", {"name": "t"}, token=mine)[0],
    }
    assert {what: said for what, said in answers.items() if said not in (401, 403)} == {}
    for ref in ("agent/0-e1", "main"):
        assert clone.tried("push", "origin", f"HEAD:refs/heads/{ref}").returncode != 0
    assert clone.tried("push", "origin", "HEAD:refs/fleet/claims/1").returncode != 0


def test_work_is_published_checked_and_landed_by_those_who_may(
    forge: forge_host.Forge, tmp_path: Path
) -> None:
    clone = Clone(forge, "timmy", tmp_path)
    head = clone.branch("agent/1-e1", "one.txt")
    clone.git("push", "--quiet", "origin", "HEAD:refs/heads/agent/1-e1", "HEAD:refs/fleet/claims/1")
    number = pull(forge, "agent/1-e1")
    for account in ("timmy", "checks"):
        assert landed(forge, number, head, account)[0] in (403, 405), account
    # Not green, then red, then green by the account that checks, which has no say in issues.
    assert landed(forge, number, head)[0] == 405
    assert green(forge, head, state="failure") == 201
    assert landed(forge, number, head)[0] == 405
    assert green(forge, head) == 201
    assert forge.api("POST", f"{WORK}/issues", {"title": "t"}, token=token("checks"))[0] == 403
    for account in ("timmy", "checks"):
        assert landed(forge, number, head, account)[0] in (403, 405), account
    assert landed(forge, number, "0" * 40)[0] == 409
    assert landed(forge, number, head) == (200, None)
    assert clone.git("ls-remote", "origin", "refs/heads/main").split()[0] == head


@pytest.mark.parametrize("account", ["timmy", "checks", "landing"])
def test_nobody_pushes_to_main(forge: forge_host.Forge, tmp_path: Path, account: str) -> None:
    clone = Clone(forge, account, tmp_path)
    before = clone.git("ls-remote", "origin", "refs/heads/main")
    clone.branch(f"agent/2-e1-{account}", f"{account}.txt")
    for how in ("HEAD:main", "+HEAD~2:main", ":main"):
        done = clone.tried("push", "origin", how)
        assert done.returncode != 0, (how, done.stderr)
    # Pushing as such works for the account, so that it is the rule that refused.
    clone.git("push", "--quiet", "origin", f"HEAD:refs/heads/agent/2-e1-{account}")
    assert clone.git("ls-remote", "origin", "refs/heads/main") == before


def test_a_protected_path_is_refused_even_when_it_is_green(forge: forge_host.Forge, tmp_path: Path) -> None:
    clone = Clone(forge, "timmy", tmp_path)
    for name, path, wanted in (("agent/3-e1", ".timmy/checks.yml", 405), ("agent/4-e1", "free.txt", 200)):
        head = clone.branch(name, path)
        clone.git("push", "--quiet", "origin", f"HEAD:refs/heads/{name}")
        number = pull(forge, name)
        assert green(forge, head) == 201
        assert landed(forge, number, head)[0] == wanted, path


def test_what_crept_in_and_what_is_not_needed_any_more_goes(forge: forge_host.Forge) -> None:
    """Rights given by hand, files laid by hand, and the token of a duty that nobody has now."""
    admin, published = forge.token(), token("timmy")
    teams = forge.api("GET", "v1/orgs/fleet/teams?limit=50", token=admin)[1]
    (landers,) = [team["id"] for team in teams if team["name"] == "landers"]
    rule = f"{WORK}/branch_protections/main"
    hook = f"v1/orgs/fleet/hooks/{forge.api('GET', 'v1/orgs/fleet/hooks', token=admin)[1][0]['id']}"
    for method, path, body, wanted in (
        ("PUT", f"v1/teams/{landers}/members/bezalel", None, 204),
        ("PATCH", rule, {"enable_push": True, "protected_file_patterns": ""}, 200),
        ("PATCH", hook, {"active": False}, 200),
        ("PATCH", WORK, {"allow_squash_merge": True}, 200),
        (
            "PATCH",
            "v1/admin/users/checks",
            {"restricted": False, "login_name": "checks", "source_id": 0},
            200,
        ),
    ):
        assert forge.api(method, path, body, token=admin)[0] == wanted, path
    host("bezal").sh("cd /etc/timmy/forge && chmod 644 bezalel && touch theirs .hidden").ok()
    forge.host.sh("chmod 755 /etc/timmy/forge-tokens").ok()

    duties = [("check", "checks"), ("land", "landing")]
    asked = [{"duty": duty, "account": name, "hosts": ["gitea-forge"]} for duty, name in duties]
    forge.settle(forge_duties=asked).ok()
    members = forge.api("GET", f"v1/teams/{landers}/members", token=admin)[1]
    assert [one["login"] for one in members] == ["landing"]
    found = forge.api("GET", rule, token=admin)[1]
    assert (found["enable_push"], found["protected_file_patterns"]) == (False, ".timmy/**")
    assert forge.api("GET", hook, token=admin)[1]["active"] is True
    assert forge.api("GET", WORK, token=admin)[1]["allow_squash_merge"] is False
    people = forge.api("GET", "v1/admin/users?limit=50", token=admin)[1]
    assert {one["restricted"] for one in people if one["login"] == "checks"} == {True}
    assert places("bezal") == PLACES["bezal"] - {"/etc/timmy/forge/timmy 640 root timmy"}
    left = PLACES["gitea-forge"] - {"/etc/timmy/forge-tokens/timmy 600 root root"}
    assert places("gitea-forge") == left
    assert forge.api("GET", WORK, token=published)[0] == 401
    assert forge.api("GET", "v1/users/timmy", token=admin)[0] == 200

    forge.settle().ok()
    assert {name: places(name) for name in PLACES} == PLACES
    assert forge.api("GET", WORK, token=token("timmy"))[0] == 200


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (
            {"forge_token_file": "/etc/gitea/tokens/none"},
            "there is no token of forge-admin in /etc/gitea/tokens/none",
        ),
        ({"forge_url": "http://127.0.0.1:9"}, "http://127.0.0.1:9 does not answer on gitea-forge"),
    ],
)
def test_without_a_forge_to_work_on_one_line_says_so(
    forge: forge_host.Forge, asked: dict[str, str], line: str
) -> None:
    refused = forge.settle(**asked)
    assert refused.rc != 0
    assert line in refused.last
    assert set(refused.changed().values()) == {0}


def test_tokens_are_made_anew_by_one_command(forge: forge_host.Forge) -> None:
    """All at once, the old ones are worth nothing; one goes to another host, and a wizard leaves."""
    old = {account: token(account) for account in BROUGHT}
    old["ezra"] = forge.host.run("cat", "/etc/timmy/forge-tokens/ezra").ok().strip()
    assert {forge.api("GET", WORK, token=one)[0] for one in old.values()} == {200}
    refused = forge.settle("--limit", "gitea-forge", forge_rotate_tokens="true")
    assert "forge_rotate_tokens takes the old tokens away" in refused.last
    wizards = [{**one, "state": "absent"} if one["name"] == "ezra" else one for one in declared()]
    asked = {"timmy_landing_host": "bezal", "timmy_wizards": wizards}
    done = forge.settle("--diff", forge_rotate_tokens="true", **asked).ok()
    assert {forge.api("GET", WORK, token=one)[0] for one in old.values()} == {401}

    moved = "/etc/timmy/forge/landing 640 root timmy"
    left = "/etc/timmy/forge-tokens/ezra 600 root root"
    assert places("gitea-forge") == PLACES["gitea-forge"] - {moved, left}
    assert forge.api("GET", "v1/users/ezra", token=forge.token())[0] == 404
    assert places("bezal") == PLACES["bezal"] | {moved}
    new = {
        account: host("bezal" if account == "landing" else at).run("cat", f"/etc/timmy/forge/{account}").ok()
        for account, at in BROUGHT.items()
    }
    assert {forge.api("GET", WORK, token=one.strip())[0] for one in new.values()} == {200}
    assert [one for one in [*old.values(), *new.values()] if one.strip() in done.out + done.err] == []
    assert set(forge.settle(**asked).ok().changed().values()) == {0}
