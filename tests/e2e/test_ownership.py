# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploys beside files of others and a home that is lived in: theirs stay, and each deploy was foretold.

Every deploy changes something, and a check before it has to say the very same. TIMMY_FAULTS=full makes many
of them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import runs
from releases import FULL, Trial
from test_verify import run_script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet import Fleet

DEPLOYS = 50 if FULL else 5
FOREIGN = 100
# What a check cannot know: whether gateways will be well, and that the controller confirmed.
UNKNOWABLE = {"health", "confirmed", "invocation", "changed_when_result", "failed", "warnings"}
# A gateway that idles writes these by itself.
HERMES_OWN = re.compile(
    r"\.hermes/(cron/(\.tick\.lock|ticker_\w+)|state/gateway\.heartbeat|logs/agent\.log|channel_directory\.json)"
)
# Ours by key: what must stay in them is looked at apart.
SHARED = (".hermes/config.yaml", ".hermes/cron/jobs.json")
AGENT_CONFIG = """\
# My own notes stand here, and must stay.
_config_version: 33
display:
  busy_input_mode: queue   # mine
# before ours
browser:
  # the operator's
  allow_private_urls: false
"""

LIVED_IN = (
    *("memories", "sessions", "skills/mine", "skins", "hooks", "scripts", "plugins/x", "logs", "platforms"),
    "cron/output/0123456789ab",
)

# Runs on the host: plants files of others, each with a content, a mode, an owner and a time of its own.
PLANT = """
import json, os, pwd, sys
wanted = json.load(sys.stdin)
who = pwd.getpwnam(wanted["agent"])
for number, path in enumerate(wanted["paths"]):
    made = []
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        made.append(folder)
        folder = os.path.dirname(folder)
    for folder in reversed(made):
        os.mkdir(folder, 0o750)
        if folder.startswith(who.pw_dir):
            os.chown(folder, who.pw_uid, who.pw_gid)
    if number % 9 == 8:
        os.symlink("/nonexistent/" + str(number), path)
    else:
        with open(path, "wb") as out:
            out.write(os.urandom(number * 7))
        os.chmod(path, [0o600, 0o640, 0o444, 0o755, 0o666][number % 5])
        mine = path.startswith(who.pw_dir) and number % 3
        os.chown(path, *((who.pw_uid, who.pw_gid) if mine else (number % 2 and 65534, 0)))
        os.utime(path, ns=(1, 1_500_000_000_000_000_001 + number))
"""
# Runs on the host: everything below the given folders, as it stands.
PICTURE = """
import hashlib, json, os, stat, sys
found = {}
for root in json.load(sys.stdin):
    for folder, folders, names in os.walk(root):
        for name in names + folders:
            path = os.path.join(folder, name)
            try:
                seen = os.lstat(path)
                if stat.S_ISDIR(seen.st_mode):
                    continue
                body = os.readlink(path) if stat.S_ISLNK(seen.st_mode) else ""
                if stat.S_ISREG(seen.st_mode):
                    with open(path, "rb") as source:
                        body = hashlib.sha256(source.read()).hexdigest()
            except FileNotFoundError:
                continue
            found[path] = [seen.st_mode, seen.st_uid, seen.st_gid, seen.st_mtime_ns, body]
print(json.dumps(found))
"""

Picture = dict[str, list[Any]]


def on_host(trial: Trial, program: str, given: Any) -> str:
    """Run a small program on the host with JSON as its input."""
    trial.host.write("/run/e2e-given.json", json.dumps(given), "0600")
    trial.host.write("/run/e2e-program.py", program, "0600")
    try:
        return trial.host.sh("python3 -I /run/e2e-program.py </run/e2e-given.json").ok()
    finally:
        trial.host.run("rm", "-f", "/run/e2e-given.json", "/run/e2e-program.py")


def picture(trial: Trial, *roots: str) -> Picture:
    """Return every file and link below some folders of the host."""
    found: Picture = json.loads(on_host(trial, PICTURE, list(roots)))
    return found


OURS = ("/opt/timmy", "/etc/timmy", "/opt/hermes", "/usr/local/lib/timmy", "/var/lib/timmy-guard")


def foreign_paths(trial: Trial) -> list[str]:
    """Return where others keep files: in every folder that a deploy touches, under names close to ours."""
    home, release = trial.home, f"/opt/timmy/releases/{trial.release()}"
    agent = f"{release}/agents/{trial.wizard.name}"
    here = [
        *(
            "/opt/timmy",
            "/opt/timmy/state",
            "/opt/timmy/releases",
            "/opt/timmy/releases/notes",
            "/opt/hermes",
        ),
        *(release, f"{release}/skills", f"{agent}/home", f"{agent}/managed"),
        *("/etc/timmy", "/etc/timmy/agents", "/usr/local/lib/timmy", "/var/lib/timmy-guard"),
        *(f"{home}/.hermes", f"{home}/.timmy", f"{home}/.timmy/continuity", f"{home}/work"),
        *(f"{home}/.hermes/{name}" for name in LIVED_IN),
    ]
    names = ["notes.txt", "SOUL.md.bak", "manifest.json~", ".hidden", "with space", "größe", "current.old"]
    return [f"{here[n % len(here)]}/e2e-{n} {names[n % len(names)]}" for n in range(FOREIGN)]


def fill_home(trial: Trial) -> None:
    """Have the agent live in its home: a turn, a memory, a configuration with comments, a job of its own."""
    assert run_script(trial.wizard, "echo lived")["exit_code"] == 0
    user, hermes = trial.wizard.name, f"{trial.home}/.hermes"
    trial.host.write("/run/e2e-config.yaml", AGENT_CONFIG)
    trial.host.sh(
        f""". /etc/profile; cat /run/e2e-config.yaml >{hermes}/config.yaml
        printf '§\\nLearned in a trial.\\n' >>{hermes}/memories/MEMORY.md
        printf '{{"platforms": {{}}, "updated_at": "2020-01-01T00:00:00"}}' >{hermes}/channel_directory.json
        hermes cron create 'every 900h' 'A job of my own.' --name e2e-mine --deliver local
        hermes cron list | grep -q e2e-mine""",
        user=user,
    ).ok()
    trial.host.run("rm", "-f", "/run/e2e-config.yaml")


@pytest.fixture(scope="module")
def trial(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Fill a home, and bring home and host back in the end."""
    one = Trial(fleet.wizards[1 % len(fleet.wizards)], tmp_path_factory.mktemp("ownership"))
    hermes = f"{one.home}/.hermes"
    one.host.sh(f"cp -p {hermes}/config.yaml {hermes}/memories/MEMORY.md /run/", user="root").ok()
    fill_home(one)
    one.deploy()
    yield one
    one.host.sh(
        f"""cat /run/config.yaml >{hermes}/config.yaml; cat /run/MEMORY.md >{hermes}/memories/MEMORY.md
        rm -f /run/config.yaml /run/MEMORY.md {hermes}/skins/e2e-mine.yaml"""
    ).ok()
    one.host.run("/usr/local/bin/hermes", "cron", "remove", "e2e-mine", user=one.wizard.name)
    runs.playbook("playbooks/sidecar.yml", "--limit", one.host.name, inventories=runs.own_inventories()).ok()


def change(trial: Trial, number: int) -> None:
    """Change the overlay once more: text for all, and one other kind of change in turn."""
    if number > 1:
        trial.edit("SOUL.md", f"- Trial {number - 1}.", f"- Trial {number}.")
    else:
        trial.append("SOUL.md", f"\n- Trial {number}.\n")
    skin = (trial.overlay / "skins/timmy.yaml").read_text(encoding="utf-8")
    kind = number % 5
    if kind == 1:
        for name in ("gone", "mine"):
            text = skin.replace("name: timmy", f"name: e2e-{name}")
            (trial.overlay / f"skins/e2e-{name}.yaml").write_text(text, encoding="utf-8")
        trial.edit("home-config.yaml", "mode: project", "mode: strict")
    elif kind == 2:
        trial.edit("cron/morning-self-check.yaml", '"15 6 * * *"', '"16 6 * * *"')
        trial.edit("cron/weekly-memory-tidy.yaml", "name: weekly-memory-tidy", "name: e2e-other-name")
        (trial.overlay / "cron/weekly-memory-tidy.yaml").rename(trial.overlay / "cron/e2e-other-name.yaml")
    elif kind == 3:
        # One skin stays our link and one is now the agent's: the overlay drops both.
        place = f"{trial.home}/.hermes/skins/e2e-mine.yaml"
        trial.host.sh(f"rm {place}; echo mine >{place}", user=trial.wizard.name).ok()
        for name in ("gone", "mine"):
            (trial.overlay / f"skins/e2e-{name}.yaml").unlink()
    elif kind == 4:
        trial.edit("home-config.yaml", "  allow_unsafe_evaluate: false\n", "")
        trial.edit("home-config.yaml", "mode: strict", "mode: project")
    else:
        trial.edit("home-config.yaml", "browser:\n", "browser:\n  allow_unsafe_evaluate: false\n")
        trial.edit("cron/morning-self-check.yaml", '"16 6 * * *"', '"15 6 * * *"')
        trial.edit("cron/e2e-other-name.yaml", "name: e2e-other-name", "name: weekly-memory-tidy")
        (trial.overlay / "cron/e2e-other-name.yaml").rename(trial.overlay / "cron/weekly-memory-tidy.yaml")
        trial.host.run("rm", "-f", f"{trial.home}/.hermes/skins/e2e-mine.yaml")


def telling(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the part of an answer that a check can know."""
    return {name: value for name, value in answer.items() if name not in UNKNOWABLE}


def theirs(trial: Trial, seen: Picture) -> Picture:
    """Return what is not ours in a home, and was not written by a gateway that idles."""
    head = f"{trial.home}/"
    return {
        path: entry
        for path, entry in seen.items()
        if not str(entry[4]).startswith("/opt/timmy/current/")
        and not HERMES_OWN.fullmatch(path.removeprefix(head))
        and path.removeprefix(head) not in SHARED
        and not path.endswith("/skins/e2e-mine.yaml")
    }


def jobs(trial: Trial) -> dict[str, dict[str, Any]]:
    """Return the cron jobs of the agent by name."""
    listed = trial.host.json("cat", f"{trial.home}/.hermes/cron/jobs.json")["jobs"]
    return {job["name"]: job for job in listed}


def test_deploys_are_foretold_and_touch_nothing_of_others(trial: Trial) -> None:
    name, home = trial.wizard.name, trial.home
    paths = foreign_paths(trial)
    on_host(trial, PLANT, {"agent": name, "paths": paths})
    planted = picture(trial, *OURS, home)
    foreign = {path: planted[path] for path in paths}
    assert len(foreign) == FOREIGN
    lived, mine = (
        theirs(trial, {path: planted[path] for path in planted if path.startswith(f"{home}/")}),
        jobs(trial),
    )
    for wanted in ("state.db", "memories/MEMORY.md", "gateway_state.json", "sessions/"):
        assert [path for path in lived if path.startswith(f"{home}/.hermes/{wanted}")], (
            f"the home has no {wanted}"
        )
    config = trial.host.run("cat", f"{home}/.hermes/config.yaml").ok()
    pid, releases = trial.pid(), {trial.release()}
    try:
        for number in range(1, DEPLOYS + 1):
            change(trial, number)
            foretold = telling(trial.predict())
            fact = trial.deploy("--diff")
            # A release may come of age between the two; nothing that was foretold stays.
            old_enough = set(foretold.pop("pruned"))
            seen = telling(fact)
            assert old_enough <= set(seen.pop("pruned")), f"deploy {number}"
            assert seen == foretold, f"deploy {number}"
            assert fact["changed"], number
            assert fact["release"] not in releases
            assert trial.release() == fact["release"]
            releases.add(fact["release"])
            _look_at_skins(trial, number, fact)
        after = picture(trial, *OURS, home)
        assert {path: after.get(path) for path in paths} == foreign
        assert theirs(trial, {path: after[path] for path in after if path.startswith(f"{home}/")}) == lived
        # The last change of a round takes every key back, and the overlay says what it said in the beginning.
        assert trial.host.run("cat", f"{home}/.hermes/config.yaml").ok() == config
        assert jobs(trial)["e2e-mine"] == mine["e2e-mine"]
        assert jobs(trial).keys() == mine.keys()
        assert trial.pid() == pid, "nothing that changed asks for a restart"
    finally:
        on_host(trial, "import json, os, sys\nfor path in json.load(sys.stdin): os.unlink(path)", paths)
        trial.host.sh(f"rmdir /opt/timmy/releases/notes {home}/.hermes/skills/mine {home}/.hermes/plugins/x")


def _look_at_skins(trial: Trial, number: int, fact: dict[str, Any]) -> None:
    """What the overlay dropped is gone, but not what somebody made his own."""
    name, skins = trial.wizard.name, f"{trial.home}/.hermes/skins"
    if number % 5 == 1:
        assert ".hermes/skins/e2e-gone.yaml" in fact["linked"][name]
    if number % 5 == 3:
        assert fact["drift"][name] == [
            ".hermes/skins/e2e-mine.yaml: dropped by the overlay, and no longer our link"
        ]
        assert trial.host.sh(f"ls {skins}/*.yaml").ok().split() == [
            f"{skins}/{one}.yaml" for one in ("e2e-mine", "timmy")
        ]
        assert trial.host.run("cat", f"{skins}/e2e-mine.yaml").ok() == "mine\n"
        assert trial.host.sh("! test -e /opt/timmy/current/agents/*/home/skins/e2e-gone.yaml").rc == 0


def test_a_check_writes_nothing_on_the_host(trial: Trial) -> None:
    roots = (
        "/opt",
        "/etc",
        "/usr/local",
        "/var/lib/timmy-guard",
        f"{trial.home}/.hermes",
        f"{trial.home}/.timmy",
    )
    trial.edit("home-config.yaml", "mode: project", "mode: strict")
    trial.edit("cron/morning-self-check.yaml", '"15 6 * * *"', '"17 6 * * *"')
    before = picture(trial, *roots)
    told = trial.predict()
    after = picture(trial, *roots)
    assert told["merged"][trial.wizard.name] == [
        "config.yaml: code_execution.mode",
        "cron morning-self-check: schedule",
    ]
    differs = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    assert {
        path for path in differs if not HERMES_OWN.fullmatch(path.removeprefix(f"{trial.home}/"))
    } == set()


def test_damage_in_the_current_release_is_named_and_put_right_in_one_run(trial: Trial) -> None:
    trial.deploy()
    current = f"/opt/timmy/releases/{trial.release()}"
    skill, soul = "skills/fleet/proof-of-done/SKILL.md", f"agents/{trial.wizard.name}/home/SOUL.md"
    good = picture(trial, current)
    trial.host.sh(f"cd {current} && truncate -s 0 {skill} && echo edited >>{soul}").ok()
    told = trial.run("--check").ok()
    assert f"{skill}: edited" in " ".join((told.out + told.err).split())
    assert trial.host.run("stat", "-c", "%s", f"{current}/{skill}").ok() == "0\n"
    done = trial.run().ok()
    assert done.changed()[trial.host.name] > 0
    assert f"{skill}: edited" in " ".join((done.out + done.err).split())
    fact = trial.answer()
    assert sorted(fact["drift"]["release"]) == [f"{soul}: edited", f"{skill}: edited"]
    assert sorted(fact["changed_paths"]["managed"]) == [soul, skill]
    assert (fact["restarted"], trial.release()) == ([], current.rpartition("/")[2])
    # The time of a file comes from its content, so it is the same file for Hermes as well.
    assert picture(trial, current) == good
    again = trial.deploy()
    assert (again["changed"], again["drift"]) == (False, {})


def test_a_gateway_that_may_run_with_damage_starts_afresh(trial: Trial) -> None:
    pid, managed = trial.pid(), f"/opt/timmy/current/agents/{trial.wizard.name}/managed/config.yaml"
    trial.host.sh(f"sed -i 's/max_turns: 60/max_turns: 61/' {managed}").ok()
    fact = trial.deploy()
    assert fact["restarted"] == [trial.wizard.name]
    assert trial.pid() != pid
    assert "max_turns: 60" in trial.host.run("cat", managed).ok()
    assert trial.wizard.api("GET", "/health/detailed")["status"] == "ok"
