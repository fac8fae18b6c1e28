# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Gitea was recorded to answer, as the client reads it: objects by route, refusals by number."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from timmy.core import gitea_admin_types as admin
from timmy.core import gitea_types as kinds
from timmy.core.gitea_decode import decode, decode_list
from timmy.core.gitea_errors import AnswerError, MovedError, answer_error
from timmy.core.gitea_merge import MergeState, Refusal, judge
from timmy.core.gitea_paging import page_of
from timmy.core.gitea_transport import reason_of
from timmy.core.gitea_types import PullEnd, PullRequest

PLACE = Path(__file__).resolve().parents[1] / "contract" / "recordings"
REPO = r"/repos/[^/]+/[^/]+"

# The object that a route answers with; a list of them where it answers with a list.
ROUTES: list[tuple[str, type[Any]]] = [
    (rf"{REPO}/issues(/\d+)?", kinds.Issue),
    (rf"{REPO}/issues/\d+/(dependencies|blocks)", kinds.Issue),
    (rf"{REPO}/issues/(\d+/)?comments(/\d+)?", kinds.Comment),
    (rf"{REPO}/issues/\d+/timeline", kinds.TimelineEvent),
    (rf"{REPO}(/issues/\d+)?/labels(/\d+)?", kinds.Label),
    (rf"{REPO}/milestones(/\d+)?", kinds.Milestone),
    (rf"{REPO}/pulls(/\d+)?", PullRequest),
    (rf"{REPO}/pulls/\d+/reviews(/\d+)?", kinds.Review),
    (rf"{REPO}/pulls/\d+/files", kinds.ChangedFile),
    (rf"{REPO}/branches(/.+)?", kinds.Branch),
    (rf"{REPO}/branch_protections(/.+)?", admin.BranchProtection),
    (rf"{REPO}/(statuses|commits)/[^/]+(/statuses)?", kinds.Status),
    (rf"{REPO}/hooks(/\d+)?", admin.Hook),
    (r"/users/[^/]+/tokens", admin.Token),
    (r"/orgs/[^/]+/teams|/teams/\d+", kinds.Team),
    (rf"{REPO}", kinds.Repo),
]
NAMED = (
    "id",
    "number",
    "title",
    "name",
    "login",
    "rule_name",
    "state",
    "merged",
    "draft",
    "exclusive",
    "color",
)


def exchanges() -> list[dict[str, Any]]:
    lines = [line for path in sorted(PLACE.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    rows = [json.loads(line) for line in lines if line.strip()]
    return [row for row in rows if "response" in row and "request" in row]


EXCHANGES = exchanges()


def told(row: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
    response = row["response"]
    return (
        response["status"],
        {k.lower(): v for k, v in response.get("headers", {}).items()},
        response.get("body"),
    )


def path_of(row: dict[str, Any]) -> str:
    """The path below the API; recordings have names in braces for what a run makes."""
    path = row["request"]["path"].partition("?")[0].replace("{repo}", "/repos/o/r")
    return re.sub(r"\{[^}]*\}", "1", path).removeprefix("/api/v1")


def kind_of(row: dict[str, Any]) -> type[Any] | None:
    path = path_of(row)
    return next((kind for route, kind in ROUTES if re.fullmatch(route, path)), None)


def test_there_are_recordings() -> None:
    assert len(EXCHANGES) > 50


def test_every_recorded_object_is_read_as_what_it_is() -> None:
    seen: Counter[str] = Counter()
    for row in EXCHANGES:
        status, _headers, body = told(row)
        kind = kind_of(row)
        rows = body if isinstance(body, list) else [body]
        if kind is None or status >= 300 or not all(isinstance(one, dict) and "id" in one for one in rows):
            continue
        made = decode_list(kind, rows)
        for one, raw in zip(made, rows, strict=True):
            for name in NAMED:
                if raw.get(name) is not None and hasattr(one, name):
                    assert getattr(one, name) == raw[name], (row["scenario"], row["step"], name)
            seen[kind.__name__] += 1
    assert {"Issue", "Comment", "Label", "Hook"} <= set(seen), seen


def test_every_recorded_list_is_a_page() -> None:
    pages = [
        page_of(body, headers)
        for status, headers, body in map(told, EXCHANGES)
        if status == 200
        and (body is None or (isinstance(body, list) and all(isinstance(x, dict) for x in body)))
    ]
    assert any(page.total is not None for page in pages)


def test_every_recorded_refusal_names_the_forges_own_reason() -> None:
    seen: Counter[int] = Counter()
    for row in EXCHANGES:
        status, headers, body = told(row)
        if status < 300:
            continue
        is_text = isinstance(body, dict) and "<text>" in body
        raw = b"" if body in (None, "<empty>") else (body["<text>"] if is_text else json.dumps(body)).encode()
        reason = reason_of("text/plain" if is_text else "application/json", raw)
        request = row["request"]
        error = answer_error(
            request["method"], request["path"], status, reason, location=headers.get("location", "")
        )
        assert isinstance(error, AnswerError)
        assert str(error).startswith(f"{request['method']} {request['path']}: {status} ")
        if isinstance(body, dict) and body.get("message") and not isinstance(error, MovedError):
            assert " ".join(str(body["message"]).split())[:40] in " ".join(str(error).split())
        seen[status] += 1
    assert {404, 422} <= set(seen), seen


MEANT = {
    (405, "Please try again later"): MergeState.CHECKING,
    (405, "User not allowed to merge PR"): MergeState.BLOCKED,
    (409, "head out of date"): MergeState.HEAD_MOVED,
    (423, ""): MergeState.BLOCKED,
}


def test_every_recorded_merge_refusal_has_its_meaning() -> None:
    head = "a" * 40
    open_pull = PullRequest(state="open", head=PullEnd(sha=head))
    refused = 0
    for row in EXCHANGES:
        status, _headers, body = told(row)
        request = row["request"]
        if not re.fullmatch(rf"{REPO}/pulls/\d+/merge", path_of(row)) or request["method"] != "POST":
            continue
        if status not in (404, 405, 409, 423, 500):
            continue
        refused += 1
        said = body.get("message", "") if isinstance(body, dict) else ""
        result = judge(Refusal(status, said), open_pull, head, "merge")
        wanted = MEANT.get((status, said))
        if wanted is None and status == 405:
            wanted = MergeState.UNKNOWN_RECHECK if "already merged" in said else MergeState.BLOCKED
        if wanted is None and "cannot lock ref" in said:
            wanted = MergeState.CHECKING
        if wanted is None and status == 500:
            wanted = MergeState.UNKNOWN_RECHECK
        assert wanted is None or result.state is wanted, (row["step"], said, result)
        merged = decode(PullRequest, {"merged": True, "merge_commit_sha": head, "head": {"sha": head}})
        assert judge(Refusal(status, said), merged, head, "merge").state is MergeState.MERGED
    assert refused


@pytest.mark.parametrize("name", ["assignees", "requested_reviewers", "labels"])
def test_null_lists_are_empty(name: str) -> None:
    assert getattr(decode(PullRequest, {name: None}), name) == ()
