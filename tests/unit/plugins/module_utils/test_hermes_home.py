# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links and seeds in a home on a real file system."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.timmy.config.plugins.module_utils import hermes_home

MANIFEST: dict[str, dict[str, dict[str, str]]] = {
    "files": {
        "agents/ezra/home/SOUL.md": {},
        "agents/ezra/home/skins/timmy.yaml": {},
        "agents/ezra/timmy/HEART.md": {},
        "agents/ezra/seeded/memories/MEMORY.md": {},
        "agents/ezra/managed/config.yaml": {},
        "agents/bezalel/home/SOUL.md": {},
        "skills/x/SKILL.md": {},
    }
}
SOUL = "/opt/timmy/current/agents/ezra/home/SOUL.md"


class Home:
    """A home, the release it follows, and what is on record."""

    def __init__(self, root: Path) -> None:
        self.path = root / "home"
        self.release = root / "release"
        (self.path / ".hermes").mkdir(parents=True)
        seed = self.release / "agents/ezra/seeded/memories/MEMORY.md"
        seed.parent.mkdir(parents=True)
        seed.write_text("first\n")
        active = self.release / "agents/ezra/timmy-seeded/continuity/active.md"
        active.parent.mkdir(parents=True)
        active.write_text("nothing yet\n")
        self.record: dict[str, dict[str, str]] = {}

    def plan(self, manifest: dict[str, dict[str, dict[str, str]]] | None = None) -> hermes_home.HomePlan:
        wanted = MANIFEST if manifest is None else manifest
        return hermes_home.plan_for(wanted, "ezra", str(self.path), "/opt/timmy", self.record)

    def settle(self, manifest: dict[str, dict[str, dict[str, str]]] | None = None) -> dict[str, list[str]]:
        plan = self.plan(manifest)
        done = hermes_home.settle_here(plan, str(self.release))
        self.record = {"links": plan.links}
        return done

    def tree(self) -> dict[str, str]:
        found = {}
        for folder, _folders, names in os.walk(self.path):
            for name in names:
                full = os.path.join(folder, name)
                content = os.readlink(full) if os.path.islink(full) else Path(full).read_text()
                found[os.path.relpath(full, self.path)] = content
        return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_blank_home_gets_its_links_and_seeds_and_then_nothing_more(home: Home) -> None:
    done = home.settle()
    assert done["seeded"] == [".hermes/memories/MEMORY.md"]
    assert home.tree() == {
        ".hermes/SOUL.md": SOUL,
        ".hermes/skins/timmy.yaml": "/opt/timmy/current/agents/ezra/home/skins/timmy.yaml",
        ".hermes/memories/MEMORY.md": "first\n",
        ".timmy/HEART.md": "/opt/timmy/current/agents/ezra/timmy/HEART.md",
    }
    assert stat.S_IMODE((home.path / ".hermes/memories/MEMORY.md").stat().st_mode) == 0o600
    assert stat.S_IMODE((home.path / ".timmy").stat().st_mode) == 0o700
    assert home.settle() == {"linked": [], "seeded": [], "kept": [], "unlinked": [], "drift": []}


def test_what_stood_in_the_place_of_a_link_is_kept_under_a_free_name(home: Home) -> None:
    (home.path / ".hermes/SOUL.md").write_text("mine\n")
    (home.path / ".hermes/SOUL.md.timmy-kept-1").write_text("older\n")
    done = home.settle()
    assert done["kept"] == [".hermes/SOUL.md -> SOUL.md.timmy-kept-2"]
    tree = home.tree()
    assert tree[".hermes/SOUL.md"] == SOUL
    assert (tree[".hermes/SOUL.md.timmy-kept-1"], tree[".hermes/SOUL.md.timmy-kept-2"]) == (
        "older\n",
        "mine\n",
    )


def test_a_deleted_link_is_repaired(home: Home) -> None:
    home.settle()
    (home.path / ".hermes/SOUL.md").unlink()
    assert home.settle()["linked"] == [".hermes/SOUL.md"]


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_a_link_that_somebody_replaced_is_drift_and_kept(home: Home, kind: str) -> None:
    home.settle()
    soul = home.path / ".hermes/SOUL.md"
    soul.unlink()
    {
        "file": lambda: soul.write_text("mine\n"),
        "link": lambda: soul.symlink_to("/x"),
        "directory": soul.mkdir,
    }[kind]()
    before = home.tree()
    done = home.settle()
    assert done["drift"] == [".hermes/SOUL.md"]
    assert home.tree() == before
    assert home.settle()["drift"] == [".hermes/SOUL.md"]


def test_a_seed_of_the_other_room_goes_below_timmy_and_stays_as_the_agent_leaves_it(home: Home) -> None:
    path = "agents/ezra/timmy-seeded/continuity/active.md"
    manifest = {"files": {**MANIFEST["files"], path: {}}}
    active = home.path / ".timmy/continuity/active.md"
    assert ".timmy/continuity/active.md" in home.settle(manifest)["seeded"]
    assert active.read_text() == "nothing yet\n"
    active.write_text("under way\n")
    assert home.settle(manifest)["seeded"] == []
    assert active.read_text() == "under way\n"


def test_a_link_dropped_from_the_release_goes_but_not_what_replaced_it(home: Home) -> None:
    home.settle()
    (home.path / ".hermes/skins/timmy.yaml").unlink()
    (home.path / ".hermes/skins/timmy.yaml").write_text("mine\n")
    done = home.settle({"files": {"agents/ezra/timmy/HEART.md": {}}})
    assert done["unlinked"] == [".hermes/SOUL.md"]
    assert set(home.tree()) == {".hermes/skins/timmy.yaml", ".hermes/memories/MEMORY.md", ".timmy/HEART.md"}


def test_a_draft_that_a_kill_left_goes_and_the_seed_stays(home: Home) -> None:
    home.settle()
    memory = home.path / ".hermes/memories/MEMORY.md"
    memory.write_text("the agent's own words\n")
    draft = memory.with_name(memory.name + hermes_home.DRAFT)
    draft.write_text("first\n")
    assert home.settle()["seeded"] == []
    assert not draft.exists()
    assert memory.read_text() == "the agent's own words\n"


def test_a_seed_never_replaces_even_a_dangling_link(home: Home) -> None:
    memories = home.path / ".hermes/memories"
    memories.mkdir()
    (memories / "MEMORY.md").symlink_to("nowhere")
    assert home.settle()["seeded"] == []
    assert os.readlink(memories / "MEMORY.md") == "nowhere"


def test_a_folder_that_is_a_file_stops_the_work_without_losing_it(home: Home) -> None:
    (home.path / ".hermes/skins").write_text("a file\n")
    with pytest.raises(OSError, match="Not a directory"):
        home.settle()
    assert (home.path / ".hermes/skins").read_text() == "a file\n"


def test_work_is_done_in_another_process_and_its_failure_is_one_line(tmp_path: Path) -> None:
    me = hermes_home.Account("me", os.geteuid(), os.getegid(), tuple(os.getgroups()), str(tmp_path))
    assert hermes_home.as_agent(me, os.getpid) != os.getpid()

    def fail() -> None:
        raise ValueError("two\nlines")

    with pytest.raises(hermes_home.HomeError, match=r"^me: ValueError: two lines$"):
        hermes_home.as_agent(me, fail)
    with pytest.raises(hermes_home.HomeError, match="died without an answer"):
        hermes_home.as_agent(me, lambda: os.kill(os.getpid(), 9))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may become anybody")
def test_nobody_but_root_works_in_a_foreign_home(tmp_path: Path) -> None:
    other = hermes_home.Account("other", os.geteuid() + 1, os.getegid(), (), str(tmp_path))
    with pytest.raises(hermes_home.HomeError, match="only root or other"):
        hermes_home.as_agent(other, os.getpid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_becomes_the_agent_for_good(tmp_path: Path) -> None:
    nobody = hermes_home.Account("nobody", 65534, 65534, (65534,), str(tmp_path))
    seen = hermes_home.as_agent(nobody, lambda: [os.getresuid(), os.getresgid(), os.getgroups()])
    assert seen == [[65534] * 3, [65534] * 3, [65534]]


def test_cron_jobs_that_were_removed_or_edited_are_seen_without_hermes(home: Home) -> None:
    record = {
        "gone": {"id": "1", "stored": {"prompt": "x"}},
        "edited": {"id": "2", "stored": {"prompt": "x"}},
        "same": {"id": "3", "stored": {"prompt": "x", "schedule": {"kind": "cron", "expr": "* * * * *"}}},
    }
    jobs = home.path / ".hermes/cron/jobs.json"
    jobs.parent.mkdir()
    jobs.write_text(
        '{"jobs": [{"id": "2", "prompt": "y"},'
        ' {"id": "3", "prompt": "x", "schedule": {"expr": "* * * * *", "kind": "cron"}, "next_run_at": 5}]}'
    )
    home.record = {"cron": record}  # type: ignore[dict-item]
    assert hermes_home.look_here(home.plan())["cron_edits"] == ["edited", "gone"]
    jobs.write_text("not json")
    assert hermes_home.look_here(home.plan())["cron_edits"] == ["edited", "gone", "same"]
