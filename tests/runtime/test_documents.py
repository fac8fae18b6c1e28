# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents say what is true: paths, commands and links exist, and the reference is current."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from timmy.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent.parent
PLACEHOLDER_HOST = "example.org"
GENOME_SECTIONS = [
    "Project Overview",
    "Architecture Diagram",
    "Entry Points and Data Flow",
    "Key Abstractions",
    "API Surface",
    "Test Coverage Gaps",
    "Security Considerations",
    "Performance Characteristics",
]
GENOME_NAMES = [
    "deploy.sh",
    "config.yaml",
    "gitea_client.py",
    "orchestration.py",
    "tasks.py",
    "bin/",
    "playbooks/",
    "training/",
]
# Playbooks that others import; the rest are verbs of the operator, and each has a runbook.
INNER_PLAYBOOKS = {"check", "preflight", "closing"}
# Verbs of the command `timmy` that settle something, and so have a runbook as well.
VERBS_OF_A_HOST = {"drift", "queue"}
# Named in documents without being files of the project: an operator's own, and those in a home or a release.
ELSEWHERE = {
    "group_vars/all/vault.yml",
    "logs/gateway-exit-diag.log",
    "bin/timmy",
    "manifest.json",
}

CODE_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FENCE = re.compile(r"^```.*?^```[^\n]*\n?", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)\b")
TARGET = re.compile(r"^([a-z][a-z -]*?)\s*::?(?!=)", re.MULTILINE)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def documents() -> list[str]:
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/*/README.md")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def written() -> list[str]:
    """The documents about the project as a whole that are written by hand."""
    return [name for name in documents() if not name.startswith(("docs/reference/", "roles/"))]


def prose(name: str) -> str:
    """A document without its fenced blocks."""
    return FENCE.sub("", read(name))


@cache
def versioned() -> tuple[str, ...]:
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    out = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(name for name in out.split("\0") if name)


def versioned_names() -> frozenset[str]:
    """Parts of all paths of the project, folders included."""
    return frozenset(part for name in versioned() for part in Path(name).parts)


@cache
def make_targets() -> frozenset[str]:
    return frozenset(name for line in TARGET.findall(read("Makefile")) for name in line.split())


def commands(name: str) -> set[str]:
    """Make targets that a document tells its reader to run: in code spans and shell blocks."""
    text = read(name)
    shell = "\n".join(re.findall(r"^```(?:sh|console|shell|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    spans = "\n".join(CODE_SPAN.findall(prose(name)))
    return set(MAKE.findall(shell + "\n" + spans))


def looks_like_path(span: str) -> bool:
    """A path of this project: no blank, no variable part, relative, and with a slash or a file ending."""
    if re.search(r"[\s<>{}*$=:@]", span) or span.startswith(("/", "~", "-", "http", "..")):
        return False
    return "/" in span or re.search(r"\.(md|rst|sh|py|ya?ml|json|toml|cfg|txt)$", span) is not None


def unbuilt() -> list[str]:
    """Paths that GENOME.md lists under 'Not built yet'."""
    block = read("GENOME.md").split("### Not built yet", 1)[1].split("\n## ", 1)[0].split("\n### ", 1)[0]
    heads = [line.split("`:")[0] + "`" for line in block.splitlines() if line.startswith("- ")]
    return [span for head in heads for span in CODE_SPAN.findall(head)]


def test_genome_is_headed_and_long_enough() -> None:
    text = read("GENOME.md")
    assert text.splitlines()[0] == "# GENOME.md — timmy-config"
    assert len(text) >= 5000


def test_genome_has_its_sections_in_order() -> None:
    found = [line[3:].strip() for line in prose("GENOME.md").splitlines() if line.startswith("## ")]
    assert found == GENOME_SECTIONS


def test_genome_draws_a_flowchart() -> None:
    section = read("GENOME.md").split("## Architecture Diagram", 1)[1].split("\n## ", 1)[0]
    assert re.search(r"```mermaid\n(?:%%.*\n)*flowchart TD\n", section)


@pytest.mark.parametrize("name", GENOME_NAMES)
def test_genome_names(name: str) -> None:
    assert name in read("GENOME.md")


def test_genome_explains_the_sidecar_boundary() -> None:
    paragraphs = read("GENOME.md").split("\n\n")
    assert any(
        all(word in part for word in ("sidecar boundary", "Hermes", "timmy-config", "timmy-home"))
        for part in paragraphs
    )


def test_genome_lists_as_not_built_exactly_what_is_not_there() -> None:
    listed = unbuilt()
    assert listed
    assert [name for name in listed if (ROOT / name).exists()] == [], "built by now; move it out of the list"
    for name in GENOME_NAMES:
        there = name.rstrip("/") in versioned_names()
        promised = any(entry.endswith(name) for entry in listed)
        assert there != promised, f"{name}: is it built or not?"


def test_readme_names_its_two_commands() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", read("README.md"), re.MULTILINE | re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    assert "make up" in lines
    assert "make test" in lines
    assert "```mermaid" in read("README.md")


def status_header() -> tuple[str, list[str]]:
    """The row that the template of the status begins with, and the names in it."""
    template = read("playbooks/templates/status.txt.j2")
    row = re.search(r"set row = '([^']+)'", template)
    header = re.search(r"row \| format\((.*)\)", template)
    assert row is not None
    assert header is not None
    names = re.findall(r"'([A-Z]+)'", header.group(1))
    return row.group(1) % tuple(names), names


def test_readme_shows_the_status_as_it_is() -> None:
    lines = read("README.md").splitlines()
    begin = lines.index(status_header()[0])
    fleet = yaml.safe_load(read("group_vars/all/fleet.yml"))["timmy_wizards"]
    rows = [line.split()[:3] for line in lines[begin + 1 : begin + 1 + len(fleet)]]
    assert rows == [[one["display_name"], one["name"], one["host"]] for one in fleet]
    last = lines[begin + 1 + len(fleet)]
    assert last.startswith("All well.")
    assert last in read("playbooks/templates/status.txt.j2").splitlines()


def test_runbook_explains_every_column_of_the_status() -> None:
    cells = re.findall(r"^\| ([A-Z]+(?:, [A-Z]+)*) \|", read("docs/runbooks/status.md"), re.MULTILINE)
    assert [name for cell in cells for name in cell.split(", ")] == status_header()[1]


@pytest.mark.parametrize("name", documents())
def test_verbs_of_timmy_exist(name: str) -> None:
    text = prose(name)
    shell = re.findall(r"^```sh\n(.*?)^```", read(name), re.MULTILINE | re.DOTALL)
    said = "\n".join([*CODE_SPAN.findall(text), *shell])
    verbs = set(re.findall(r"(?:^|[ /])timmy ([a-z]+)\b", said, re.MULTILINE))
    assert sorted(verbs - set(COMMANDS)) == []


@cache
def variables() -> frozenset[str]:
    """Every name that a document may give as a variable: of the roles, of the wiring; and our modules."""
    found = {path.stem for path in ROOT.glob("plugins/modules/*.py")}
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        found |= set(yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"])
    doors = ("vars/wiring", "preflight", "rollback")
    wiring = "".join(read(f"playbooks/{name}.yml") for name in doors)
    return frozenset(found | set(re.findall(r"(?<![a-z_])timmy_[a-z_]+", wiring)))


@pytest.mark.parametrize("name", documents())
def test_variables_of_a_document_exist(name: str) -> None:
    word = re.compile(
        r"(?<![\w./-])((?:timmy|common|forge|gitea|hermes_agent|sidecar)_[a-z_]*[a-z])(?![\w./-])"
    )
    spans = "\n".join(CODE_SPAN.findall(prose(name)))
    # in YAML and shell, names of variables are what a reader copies
    blocks = "\n".join(re.findall(r"^```(?:yaml|sh)\n(.*?)^```", read(name), re.MULTILINE | re.DOTALL))
    assert sorted(set(word.findall(spans + "\n" + blocks)) - variables()) == []


@pytest.mark.parametrize("name", documents())
def test_commands_of_a_document_exist(name: str) -> None:
    assert sorted(commands(name) - make_targets()) == []


def test_contributing_lists_every_command() -> None:
    rows = [line for line in read("CONTRIBUTING.md").splitlines() if line.startswith("| `make ")]
    listed = {name for row in rows for name in MAKE.findall(row.split("|")[1])}
    shown = set(re.findall(r"^([a-z][a-z-]*):.*?##", read("Makefile"), re.MULTILINE))
    assert sorted(shown ^ listed) == []


def test_only_contributing_has_the_list_of_commands() -> None:
    tables = [name for name in documents() if "\n| `make " in read(name)]
    assert tables == ["CONTRIBUTING.md"]


def paths(name: str) -> set[str]:
    """Paths that a document names, those below build/ left out."""
    spans = {
        span.rstrip("/").removeprefix("./")
        for span in CODE_SPAN.findall(prose(name))
        if looks_like_path(span)
    }
    return {span for span in spans if span.split("/")[0] != "build"}


def test_paths_of_the_readme_exist() -> None:
    assert sorted(span for span in paths("README.md") if not (ROOT / span).exists()) == []


@pytest.mark.parametrize("name", written())
def test_paths_of_a_document_exist(name: str) -> None:
    # Also parts of a path: what every role has is named without the role.
    def exists(span: str) -> bool:
        whole = [f"/{path}" for path in versioned()]
        parts = re.compile(re.escape(f"/{span}") + "(/|$)")
        return (ROOT / span).exists() or any(parts.search(path) for path in whole)

    doors = {line.split()[0] for line in read("overlay/bin/doors.txt").splitlines() if line[:1].isalpha()}
    known = ELSEWHERE | doors | ({span.rstrip("/") for span in unbuilt()} if name == "GENOME.md" else set())
    assert sorted(span for span in paths(name) - known if not exists(span)) == []


def test_what_is_elsewhere_is_named_somewhere() -> None:
    named = set().union(*(paths(name) for name in written()))
    assert sorted(ELSEWHERE - named) == []


def anchors(path: Path) -> set[str]:
    """Anchors that a Markdown page offers, as forges make them from its headings."""
    titles = HEADING.findall(FENCE.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", documents())
def test_links_of_a_document_lead_somewhere(name: str) -> None:
    dead = []
    for target in LINK.findall(prose(name)):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        place, _sharp, anchor = target.partition("#")
        path = (ROOT / name).parent / place if place else ROOT / name
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(target)
    assert dead == []


def test_every_verb_has_a_runbook() -> None:
    verbs = (
        {path.stem for path in ROOT.glob("playbooks/*.yml")} - INNER_PLAYBOOKS
        | {"deploy.sh"}
        | VERBS_OF_A_HOST
    )
    runbooks = {path.name.removesuffix(".md") for path in ROOT.glob("docs/runbooks/*.md")} - {"README"}
    assert sorted(verbs ^ runbooks) == []


def test_galaxy_metadata_names_no_real_host() -> None:
    urls = re.findall(r"https?://([^/\s]+)", read("galaxy.yml"))
    assert urls
    assert set(urls) == {PLACEHOLDER_HOST}


def test_action_groups_list_our_modules() -> None:
    groups = yaml.safe_load(read("meta/runtime.yml"))["action_groups"]
    modules = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py") if path.stem != "__init__")
    ours = {"gitea": [name for name in modules if name.startswith("gitea_")]}
    ours["timmy"] = [name for name in modules if name not in ours["gitea"]]
    assert groups == ours


def test_make_docs_writes_the_reference() -> None:
    recipe = read("Makefile").split("\ndocs:", 1)[1].split("\n\n", 1)[0]
    assert "scripts/reference.py" in recipe


def test_reference_is_what_the_code_says() -> None:
    argv = [sys.executable, "scripts/reference.py", "--check"]
    run = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
