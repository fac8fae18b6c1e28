# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold on a fleet that `site.yml` has set up."""

from __future__ import annotations

import importlib.util
import json
import re
import socket
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import py
import pytest
from fleet import TIMMY

if TYPE_CHECKING:
    from fleet import Fleet, Host, WizardAt

READBACK = Path(__file__).with_name("readback.py").read_text(encoding="utf-8")
EXPOSURE_LIMIT = 3.0


def agent_env(wizard: WizardAt) -> list[str]:
    """Return the environment that the unit gives to Hermes."""
    home = f"/home/{wizard.name}"
    managed = f"/opt/timmy/current/agents/{wizard.name}/managed"
    return [
        "env",
        f"HOME={home}",
        f"HERMES_HOME={home}/.hermes",
        f"HERMES_MANAGED_DIR={managed}",
        "HERMES_DISABLE_LAZY_INSTALLS=1",
    ]


def through_gateway(wizard: WizardAt, command: str) -> dict[str, Any]:
    """Let the agent run a command with its terminal tool, inside its unit; return the tool's own result."""
    body = {"model": "hermes", "messages": [{"role": "user", "content": f"Run this command: {command}"}]}
    answer = wizard.api("POST", "/v1/chat/completions", body, timeout_s=120.0)
    text = answer["choices"][0]["message"]["content"]
    found = re.search(r"\{.*\}", text, re.DOTALL)
    assert found, f"the agent did not tell what the tool said: {text}"
    result: dict[str, Any] = json.loads(found[0])
    return result


def run_script(wizard: WizardAt, script: str) -> dict[str, Any]:
    """Put a script into the work directory and let the agent run it.

    A command line with `rm -r` or `python3 -c` in it would wait for a person's approval, as it should.
    """
    path = f"/home/{wizard.name}/work/e2e.sh"
    wizard.host.write(path, f"set -e\n{script}\n")
    try:
        return through_gateway(wizard, "sh e2e.sh")
    finally:
        wizard.host.run("rm", "-f", path)


def _sources(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name else member


def test_the_gateway_is_ready(wizard: WizardAt) -> None:
    health = wizard.api("GET", "/health/detailed")
    checks = health["readiness"]["checks"]
    assert health["status"] == "ok", health
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(checks, "ok")


def test_the_gateway_asks_for_its_key(wizard: WizardAt) -> None:
    answer = wizard.api("GET", "/health/detailed", key=False)
    assert answer["error"]["code"] == "invalid_api_key"


def test_every_managed_leaf_reads_back_through_hermes(wizard: WizardAt) -> None:
    # in the agent's own home: nobody else can enter it, the agent may read what root puts there
    path = f"/home/{wizard.name}/.e2e-readback.py"
    wizard.host.write(path, READBACK)
    try:
        python = "/opt/timmy/current/hermes/bin/python"
        told = wizard.host.json(*agent_env(wizard), python, path, user=wizard.name)
    finally:
        wizard.host.run("rm", "-f", path)
    assert told["compared"] >= 5, told
    assert told["differs"] == []


def test_hermes_does_not_believe_that_it_is_in_a_container(wizard: WizardAt) -> None:
    code = "import hermes_constants as c; print(c.is_container())"
    python = "/opt/timmy/current/hermes/bin/python"
    done = wizard.host.run(*agent_env(wizard), python, "-c", code, user=wizard.name)
    assert done.ok().strip() == "False"


def test_a_oneshot_with_one_tool_call_is_judged_a_success(wizard: WizardAt) -> None:
    proof = f"/home/{wizard.name}/work/proof.txt"
    wizard.host.run("rm", "-f", proof)
    told = wizard.host.json(
        TIMMY, "ask", "Prove that your tools work.", "--json", user=wizard.name, timeout_s=150.0
    )
    assert told["exit_code"] == 0, told
    assert told["data"]["outcome"] == "success"
    assert told["data"]["usage"]["completed"] is True
    assert told["data"]["usage"]["failed"] is False
    assert told["data"]["usage"]["api_calls"] == 2, "one tool call, then the answer"
    assert wizard.host.run("cat", proof).ok() == "proof"
    assert wizard.host.run("stat", "-c", "%U", proof).ok().strip() == wizard.name


def test_root_asks_as_the_agent_and_not_as_root(wizard: WizardAt) -> None:
    prompt = "Run this command: id -un"
    told = wizard.host.json(TIMMY, "ask", prompt, "--agent", wizard.name, "--json", timeout_s=150.0)
    assert told["exit_code"] == 0, told
    assert f'"{wizard.name}"' in told["data"]["text"] or wizard.name in told["data"]["text"]
    assert '"root' not in told["data"]["text"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            "rm -rf e2e-git; git init -q e2e-git && git -C e2e-git status --porcelain=v2 --branch",
            "branch.head",
        ),
        ("tmux -L e2e new-session -d 'sleep 30' && tmux -L e2e ls && tmux -L e2e kill-server", "windows"),
        ("python3 -c 'import sqlite3, ssl; print(6 * 7)'", "42"),
    ],
    ids=["git", "tmux", "python"],
)
def test_tools_work_within_the_sandbox_of_the_unit(wizard: WizardAt, command: str, told: str) -> None:
    result = run_script(wizard, command)
    assert result["exit_code"] == 0, result
    assert told in result["output"]


def test_pytest_works_within_the_sandbox_of_the_unit(wizard: WizardAt, tmp_path: Path) -> None:
    """pytest is the agent's own affair and lent from here; what is tested is that the unit allows it."""
    lent = tmp_path / "pytest.tar"
    with tarfile.open(lent, "w") as archive:
        for package in ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments"):
            spec = importlib.util.find_spec(package)
            assert spec is not None
            assert spec.origin is not None
            archive.add(Path(spec.origin).parent, package, filter=_sources)
        archive.add(Path(py.__file__), "py.py")
    work = f"/home/{wizard.name}/work"
    wizard.host.unpack(lent, f"{work}/e2e-lent", wizard.name)
    command = (
        "mkdir -p e2e-pytest && printf 'def test_it(tmp_path):\\n    assert tmp_path.is_dir()\\n' "
        ">e2e-pytest/test_it.py && PYTHONPATH=e2e-lent python3 -m pytest -q e2e-pytest"
    )
    try:
        result = run_script(wizard, command)
    finally:
        wizard.host.run("rm", "-rf", f"{work}/e2e-lent", f"{work}/e2e-pytest")
    assert result["exit_code"] == 0, result
    assert "1 passed" in result["output"]


def test_the_unit_is_hardened(wizard: WizardAt) -> None:
    done = wizard.host.run("systemd-analyze", "security", "--no-pager", wizard.unit)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.out)
    assert found, done
    assert float(found[1]) <= EXPOSURE_LIMIT


def test_the_unit_runs_as_the_agent_with_a_memory_limit(wizard: WizardAt) -> None:
    asked = "User,MemoryMax,ActiveState,NRestarts"
    told = wizard.host.run("systemctl", "show", f"--property={asked}", wizard.unit).ok()
    given = dict(line.split("=", 1) for line in told.splitlines())
    assert given["User"] == wizard.name
    assert given["ActiveState"] == "active"
    assert given["MemoryMax"].isdigit(), "no limit"


def test_status_says_that_all_is_well(wizard: WizardAt) -> None:
    told = wizard.host.json(TIMMY, "status", "--json")
    assert told["problems"] == []
    assert told["exit_code"] == 0
    (row,) = [one for one in told["data"]["wizards"] if one["name"] == wizard.name]
    assert row["gateway"]["state"] == "ok"
    assert row["unit"]["active"] == "active"
    live = wizard.host.run("readlink", "/opt/timmy/current").ok().strip()
    assert live == f"releases/{told['data']['release']['id']}"


def test_no_unit_has_failed(host: Host) -> None:
    assert host.run("systemctl", "list-units", "--state=failed", "--no-legend", "--plain").ok().strip() == ""


def test_nothing_but_ssh_listens_to_the_world_or_the_firewall_drops_it(host: Host) -> None:
    """A listener on all addresses is only fine where the rules drop what comes to it."""
    rules = host.json("nft", "--json", "list", "ruleset")["nftables"]
    chains = [row["chain"] for row in rules if "chain" in row and row["chain"].get("hook") == "input"]
    assert [chain["policy"] for chain in chains] == ["drop"], "the input chain must drop what no rule allows"


def test_from_outside_only_the_declared_ports_answer(host: Host, fleet: Fleet) -> None:
    """A probe listens on an undeclared port: from another host it must be silence, from itself an answer."""
    other = next(one for one in fleet.hosts if one.name != host.name)
    address = host.sh("hostname -I").ok().split()[0]
    port, unit = 39871, "e2e-listener"
    # it takes a connection and closes it, as nobody, and ends by itself
    server = (
        f"import socket as s; l = s.create_server(('0.0.0.0', {port}))\nwhile True: l.accept()[0].close()"
    )
    nobody = ("--property=DynamicUser=yes", "--property=RuntimeMaxSec=60")
    python = ("/usr/bin/python3", "-c", server)
    host.run("systemd-run", f"--unit={unit}", "--collect", *nobody, *python).ok()
    try:
        knock = f"import socket; socket.create_connection(('{address}', {port}), 2)"
        once = f'python3 -c "{knock}" 2>/dev/null && exit 0; sleep 0.3'
        retry = f"for i in 1 2 3 4 5 6 7 8 9 10; do {once}; done; exit 1"
        assert host.sh(retry).rc == 0, "the probe itself does not listen"
        assert other.run("python3", "-c", knock).rc != 0, (
            f"{other.name} reaches an undeclared port of {host.name}"
        )
        ssh = f"import socket; socket.create_connection(('{address}', 22), 5)"
        assert other.run("python3", "-c", ssh).rc == 0, (
            f"{other.name} cannot even reach ssh, so the probe proves nothing"
        )
    finally:
        host.run("systemctl", "stop", unit)


def test_gateways_listen_on_loopback_alone(wizard: WizardAt) -> None:
    told = wizard.host.run("ss", "-Hltn", f"sport = :{wizard.api_port}").ok().split()
    assert told, "nothing listens"
    assert [word for word in told if word.endswith(f":{wizard.api_port}")] == [f"127.0.0.1:{wizard.api_port}"]


def test_a_password_opens_no_ssh(host: Host) -> None:
    options = (
        "-o",
        "PubkeyAuthentication=no",
        "-o",
        "PreferredAuthentications=password,keyboard-interactive",
    )
    done = subprocess.run(
        [*host.ssh(*options), "true"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 255
    offered = re.search(r"Permission denied \(([^)]*)\)", done.stderr)
    assert offered, done.stderr
    assert offered[1].split(",") == ["publickey"]


def test_every_host_answers_on_its_ssh_port(host: Host) -> None:
    with socket.create_connection((host.address, host.port), timeout=5) as connection:
        assert connection.recv(4) == b"SSH-"
