# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's options to the client, and from an error to one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_label, gitea_module
from ansible_collections.timmy.config.plugins.module_utils.gitea_client import GiteaClient
from ansible_collections.timmy.config.plugins.module_utils.gitea_ensure import KeepError
from ansible_collections.timmy.config.plugins.module_utils.gitea_errors import ForbiddenError

TOKEN = "0123456789abcdef0123456789abcdef01234567"
GIVEN: dict[str, Any] = {
    **dict.fromkeys(gitea_module.CONNECTION),
    "url": "https://forge.example.org",
    "validate_certs": True,
    "timeout": 30.0,
}


class FailedError(Exception):
    """A module ended with a failure."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(said["msg"])
        self.said = said


class Module:
    """As much of Ansible's module object as is used."""

    def __init__(self, **given: Any) -> None:
        self.params: dict[str, Any] = {**GIVEN, **given}
        self.check_mode = False
        self.no_log_values: set[str] = set()

    def fail_json(self, msg: str, **more: Any) -> NoReturn:
        raise FailedError({"msg": msg, **more})


def failure(module: Module, error: Exception | None = None) -> dict[str, Any]:
    def read(_forge: GiteaClient, _params: Any) -> dict[str, Any]:
        if error is not None:
            raise error
        return {}

    with pytest.raises(FailedError) as caught:
        gitea_module.look(module, read)
    return caught.value.said


def authorization(**given: Any) -> str:
    with gitea_module.open_client({**GIVEN, **given}) as forge:
        return str(forge.transport._headers.get("Authorization", "")).partition(" ")[0]


def test_credentials_that_are_nearer_stand_first(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"\n{TOKEN}\n", encoding="utf-8")
    assert gitea_module.token_of({"token": None, "token_file": str(path)}) == TOKEN
    assert gitea_module.token_of({"token": "nearer", "token_file": str(path)}) == "nearer"
    assert authorization() == ""
    assert authorization(token=TOKEN) == "token"
    assert authorization(token=TOKEN, login_user="ops", login_password="s3cret") == "Basic"


def test_a_token_from_a_file_is_hidden_by_ansible_too(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN, encoding="utf-8")
    module = Module(token_file=str(path))
    assert gitea_module.look(module, lambda _forge, _params: {"rows": []}) == {"changed": False, "rows": []}
    assert module.no_log_values == {TOKEN}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "forge.example.org"}, "needs http:// or https://"),
        ({"timeout": 0.0}, "timeout: give seconds"),
        ({"token": "two words"}, "holds a space"),
        ({"login_user": "ops"}, "only go together"),
        ({"token_file": "/nowhere/token"}, "/nowhere/token"),
        ({"ca_path": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
    ],
)
def test_bad_options_are_one_line(given: dict[str, Any], said: str) -> None:
    line = failure(Module(**given))["msg"]
    assert said in line
    assert "\n" not in line
    assert "two words" not in line


def test_an_empty_token_file_is_no_anonymous_login(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("\n", encoding="utf-8")
    assert "is empty" in failure(Module(token_file=str(path)))["msg"]


def test_a_refusal_names_method_path_status_and_reason() -> None:
    error = ForbiddenError("POST", "/orgs", "token lacks\na scope", 403)
    error.add_note("1 of 2 changes were made before")
    assert failure(Module(token=TOKEN), error) == {
        "msg": "POST /orgs: 403 token lacks a scope (1 of 2 changes were made before)",
        "method": "POST",
        "path": "/orgs",
        "status": 403,
        "reason": "token lacks\na scope",
    }


@pytest.mark.parametrize(
    ("repo", "org", "owner"),
    [("a/b", None, "a/b"), (None, "a", "a"), ("a", None, None), ("a/b/c", None, None), (None, "a/b", None)],
)
def test_where_something_belongs(repo: str | None, org: str | None, owner: str | None) -> None:
    params = {"repo": repo, "org": org}
    if owner is not None:
        assert gitea_module.owner_of(params) == owner
    else:
        with pytest.raises(ValueError, match="is no"):
            gitea_module.owner_of(params)


@pytest.mark.parametrize(
    ("text", "color"),
    [("#00AABB", "00aabb"), ("0ab", "00aabb"), (" #0ab ", "00aabb"), ("00aabb", "00aabb")],
)
def test_a_color_has_one_form(text: str, color: str) -> None:
    assert gitea_keep_label.color_of(text) == color


@pytest.mark.parametrize("text", ["", "#", "blue", "#00aab", "0000000", "##000", "00aab\n0"])
def test_a_word_is_no_color(text: str) -> None:
    with pytest.raises(KeepError, match="is no color"):
        gitea_keep_label.color_of(text)


@pytest.mark.parametrize("name", ["plain", "/x", "x/", "/"])
def test_only_a_scoped_label_can_be_exclusive(name: str) -> None:
    with pytest.raises(KeepError, match="exclusive"):
        gitea_keep_label.label_of({"name": name, "exclusive": True})
