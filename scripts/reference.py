# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/reference/ from the code: role argument specs and plugin documentation, one Markdown page each.

`ansible-doc` does the reading, so fragments are merged and what it cannot read is an error here as well.
`--check` writes nothing and exits 1 when the committed pages differ from what the code says.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
COLLECTION = "timmy.config"
# Headline and order of the index; a plugin type without plugins gets no section.
KINDS = {
    "role": ("Roles", "roles"),
    "module": ("Modules", "modules"),
    "filter": ("Filters", "filters"),
    "lookup": ("Lookups", "lookups"),
    "callback": ("Callbacks", "callbacks"),
}
NOTE = "<!-- Made from the code by `make docs`; a change by hand is lost and turns the tests red. -->\n"

# Ansible's markup in texts: M(x), O(x), V(x), C(x), B(x), I(x), L(text, url), U(url), E(x), P(x#type) …
_TWO_PARTS = re.compile(r"\b(?:L|R)\(([^,()]+),\s*([^()]+)\)")
_CODE = re.compile(r"\b(?:O|V|C|E|RV)\(((?:[^()\\]|\\.|\([^()]*\))*)\)")
_NAME = re.compile(r"\b[MP]\(([^()#]+)(?:#[a-z]+)?\)")
_BOLD = re.compile(r"\bB\(([^()]*)\)")
_ITALIC = re.compile(r"\bI\(([^()]*)\)")
_URL = re.compile(r"\bU\(([^()]*)\)")


def text(raw: str) -> str:
    """Turn Ansible's markup into Markdown."""
    out = _TWO_PARTS.sub(r"[\1](\2)", raw)
    out = _CODE.sub(lambda match: f"`{match.group(1).replace(chr(92), '')}`", out)
    out = _NAME.sub(r"`\1`", out)
    out = _BOLD.sub(r"**\1**", out)
    out = _ITALIC.sub(r"*\1*", out)
    return _URL.sub(r"<\1>", out).strip()


def lines(raw: str | Sequence[str] | None) -> list[str]:
    """A description as a list of Markdown sentences; argument specs allow a string or a list."""
    if raw is None:
        return []
    return [text(part) for part in ([raw] if isinstance(raw, str) else raw)]


def cell(raw: str) -> str:
    """Make a text safe for a table cell."""
    return raw.replace("|", "\\|").replace("\n", " ")


def literal(value: Any) -> str:
    """Show a default, a choice or a sample as inline code."""
    shown = (
        value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, sort_keys=True)
    )
    return f"`{cell(shown)}`" if "`" not in shown else f"`` {cell(shown)} ``"


def option_type(option: Mapping[str, Any]) -> str:
    """Name the type with its elements: list of dict, str and so on."""
    kind = str(option.get("type", "str"))
    return f"{kind} of {option['elements']}" if option.get("elements") else kind


def option_rows(options: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Table rows of an option tree; a suboption carries its parent's name."""
    rows: list[str] = []
    for name, option in options.items():
        described = " ".join(lines(option.get("description")))
        if option.get("choices"):
            described += " One of " + ", ".join(literal(choice) for choice in option["choices"]) + "."
        if option.get("aliases"):
            described += " Also called " + ", ".join(literal(alias) for alias in option["aliases"]) + "."
        if option.get("required"):
            default = "**required**"
        else:
            default = literal(option["default"]) if option.get("default") is not None else ""
        rows.append(f"| `{prefix}{name}` | {option_type(option)} | {default} | {cell(described.strip())} |")
        inner = option.get("options") or option.get("suboptions") or {}
        rows += option_rows(inner, f"{prefix}{name}.")
    return rows


def option_table(options: Mapping[str, Any]) -> list[str]:
    if not options:
        return ["No options.", ""]
    return ["| Name | Type | Default | Meaning |", "| --- | --- | --- | --- |", *option_rows(options), ""]


def return_rows(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    rows: list[str] = []
    for name, value in values.items():
        described = " ".join(lines(value.get("description")))
        sample = literal(value["sample"]) if "sample" in value else ""
        returned = cell(str(value.get("returned", "")))
        rows.append(
            f"| `{prefix}{name}` | {option_type(value)} | {returned} | {cell(described)} | {sample} |"
        )
        rows += return_rows(value.get("contains") or {}, f"{prefix}{name}.")
    return rows


def with_defaults(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Options whose spec names no default, completed from the role's defaults/main.yml."""
    return {
        name: option if "default" in option or name not in defaults else {**option, "default": defaults[name]}
        for name, option in options.items()
    }


def role_page(name: str, role: Mapping[str, Any]) -> str:
    short = name.removeprefix(f"{COLLECTION}.")
    defaults_file = ROOT / "roles" / short / "defaults" / "main.yml"
    defaults = yaml.safe_load(defaults_file.read_text(encoding="utf-8")) if defaults_file.exists() else {}
    out = [f"# Role `{name}`", "", NOTE]
    for entry, spec in role["entry_points"].items():
        if entry != "main":
            out += [f"## Entry point `{entry}`", ""]
        if spec.get("short_description"):
            out += [text(spec["short_description"]) + ".", ""]
        for part in lines(spec.get("description")):
            out += [part, ""]
        out += option_table(with_defaults(spec.get("options") or {}, defaults or {}))
    out += [f"How to use it: [roles/{short}/README.md](../../../roles/{short}/README.md).", ""]
    return "\n".join(out)


def plugin_page(kind: str, name: str, plugin: Mapping[str, Any]) -> str:
    doc = plugin["doc"]
    out = [f"# {kind.capitalize()} `{name}`", "", NOTE, text(doc["short_description"]) + ".", ""]
    out += [f"Since version {doc['version_added']}.", ""] if doc.get("version_added") else []
    for part in lines(doc.get("description")):
        out += [part, ""]
    if doc.get("requirements"):
        out += ["## Requirements", "", *(f"- {part}" for part in lines(doc["requirements"])), ""]
    out += ["## Options", "", *option_table(doc.get("options") or {})]
    if doc.get("attributes"):
        out += ["## Attributes", "", "| Name | Support | Meaning |", "| --- | --- | --- |"]
        for attribute, value in sorted(doc["attributes"].items()):
            described = " ".join(lines(value.get("description")) + lines(value.get("details")))
            out.append(f"| `{attribute}` | {value.get('support', '')} | {cell(described)} |")
        out.append("")
    if doc.get("notes"):
        out += ["## Notes", "", *(f"- {part}" for part in lines(doc["notes"])), ""]
    if plugin.get("examples"):
        out += ["## Examples", "", "```yaml", str(plugin["examples"]).strip(), "```", ""]
    if plugin.get("return"):
        out += [
            "## Returned values",
            "",
            "| Name | Type | Returned | Meaning | Sample |",
            "| --- | --- | --- | --- | --- |",
        ]
        out += [*return_rows(plugin["return"]), ""]
    return "\n".join(out)


def description_of(kind: str, entry: Mapping[str, Any]) -> str:
    if kind == "role":
        return text(str(entry["entry_points"].get("main", {}).get("short_description", "")))
    return text(str(entry["doc"]["short_description"]))


def pages(found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Render every page of the reference: path below docs/reference to content."""
    out: dict[str, str] = {}
    index = ["# Reference", "", NOTE, "What every role and plugin accepts, read from the code.", ""]
    for kind, (title, folder) in KINDS.items():
        entries = sorted(found.get(kind, {}).items())
        own = {name: entry for name, entry in entries if name.startswith(f"{COLLECTION}.")}
        if not own:
            continue
        index += [f"## {title}", ""]
        for name, entry in own.items():
            short = name.removeprefix(f"{COLLECTION}.")
            out[f"{folder}/{short}.md"] = (
                role_page(name, entry) if kind == "role" else plugin_page(kind, name, entry)
            )
            index.append(f"- [{name}]({folder}/{short}.md): {description_of(kind, entry)}")
        index.append("")
    out["README.md"] = "\n".join(index)
    return {path: body.rstrip("\n") + "\n" for path, body in out.items()}


def read_collection() -> dict[str, dict[str, Any]]:
    """Ask ansible-doc for everything the checkout's collection documents."""
    tool = Path(sys.executable).parent / "ansible-doc"
    env = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections")}
    run = subprocess.run(
        [str(tool), "--metadata-dump", COLLECTION],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise SystemExit(f"reference: ansible-doc could not read the collection:\n{run.stderr.strip()}")
    found: dict[str, dict[str, Any]] = json.loads(run.stdout)["all"]
    return found


def undocumented(root: Path, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Roles and modules that ansible-doc did not report, so that none is left out in silence."""
    missing = [
        f"role {spec.parent.parent.name}"
        for spec in sorted(root.glob("roles/*/meta/argument_specs.yml"))
        if f"{COLLECTION}.{spec.parent.parent.name}" not in found.get("role", {})
        and yaml.safe_load(spec.read_text(encoding="utf-8"))
    ]
    missing += [
        f"module {module.stem}"
        for module in sorted(root.glob("plugins/modules/*.py"))
        if module.stem != "__init__" and f"{COLLECTION}.{module.stem}" not in found.get("module", {})
    ]
    return missing


def differences(target: Path, wanted: Mapping[str, str]) -> list[str]:
    """Pages that are missing, stale or no longer made."""
    there = {str(path.relative_to(target)): path for path in target.rglob("*.md")}
    problems = [f"{name}: missing" for name in wanted if name not in there]
    problems += [f"{name}: no longer made from anything" for name in there if name not in wanted]
    problems += [
        f"{name}: differs from the code"
        for name, path in there.items()
        if name in wanted and path.read_text(encoding="utf-8") != wanted[name]
    ]
    return sorted(problems)


def write(target: Path, wanted: Mapping[str, str]) -> int:
    """Bring `target` to exactly the wanted pages; return how many files were written or removed."""
    problems = differences(target, wanted)
    for name in (problem.split(":", 1)[0] for problem in problems):
        path = target / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8")
        else:
            path.unlink()
    return len(problems)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is not current")
    parser.add_argument("--dest", type=Path, default=ROOT / "docs" / "reference", help="folder of the pages")
    args = parser.parse_args(argv)
    found = read_collection()
    missing = undocumented(ROOT, found)
    if missing:
        sys.stderr.write(f"reference: ansible-doc reports nothing for {', '.join(missing)}\n")
        return 1
    wanted = pages(found)
    if args.check:
        problems = differences(args.dest, wanted)
        for problem in problems:
            sys.stderr.write(f"reference: {problem}; run `make docs`\n")
        return 1 if problems else 0
    count = write(args.dest, wanted)
    sys.stdout.write(f"reference: {len(wanted)} pages, {count} changed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
