# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Input and disks that nobody wants, on a live host: one line that names the fix, the old release untouched.

The tests go on from one another: after all refusals a good run has to succeed, and nothing may be left over.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fleet as live
import pytest
import runs

sys.path.insert(0, str(live.ROOT / "src"))

from timmy.core import release_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleet import Fleet, WizardAt

PLACE = "/root/e2e-hostile"
HEADING = "## Honest"
LINE = "- This line is from a trial."
SENT_AGAIN = "nothing was changed, deploy again from a controller you trust"
MIB = 1024 * 1024

# The host half as the host has it, told to take an archive; it says whether it failed, why, and its memory.
HOST_TOOL = """
import json, resource, sys
sys.path.insert(0, "/opt/timmy/current/lib")
from timmy.core import release_tool
here = json.load(open("/etc/timmy/fleet.json"))
params = {
    "state": "present", "release": "", "agents": here["wizards"], "secrets": {}, "fleet_json": here,
    "wanted": sys.argv[2], "archive": sys.argv[1], "owner": "a trial", "keep": 5, "health_timeout_s": 90.0,
    "window_s": 60.0, "drain_s": 0.0, "manage_units": True, "release_root": "/opt/timmy",
    "hermes_root": "/opt/hermes", "config_dir": "/etc/timmy", "record_dir": "/var/lib/timmy-guard",
    "probe_keys": False, "probe_timeout_s": 5.0, "smoke": False, "smoke_timeout_s": 5.0,
}
answer = release_tool.visit(params, False, False, sys.argv[1])
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
told = {"failed": bool(answer.get("failed")), "need_archive": bool(answer.get("need_archive"))}
print(json.dumps({**told, "msg": answer.get("msg", ""), "kib": memory}))
"""

# All that a refusal must leave as it is: link, trees, settings, secrets, records, and the gateway's process.
STAND = """
readlink /opt/timmy/current
cd /
find opt/timmy/releases opt/timmy/current/ etc/timmy usr/local/lib/timmy -type f \\
  -exec sha256sum {{}} + | sort -k 2
find opt/timmy opt/timmy/current/ etc/timmy -printf '%p %y %m %U:%G %l\\n' | grep -v 'timmy/lock.json' | sort
systemctl show -p MainPID -p ActiveEnterTimestamp -p NRestarts {unit}
find home/{name}/.hermes home/{name}/.timmy -type l -printf '%p %l\\n' | sort
"""

LEFT_OVER = """
find /opt/timmy /etc/timmy /var/lib/timmy-guard /usr/local/lib/timmy /home /root /tmp -xdev \\( \
-name '*.timmy-guard~' -o -name '*.timmy-seed~' -o -name '*.timmy~' -o -name '.*.tmp-*' -o -name '.*.bad-*' \
-o -name '.manifest.gone.json' -o -name 'sidecar-release.d' -o -name 'release.tar.gz' \\) -print
"""


@dataclass(frozen=True)
class Trial:
    """A host of the fleet, and an overlay with one change for it."""

    wizard: WizardAt
    overlay: Path

    def stand(self) -> str:
        """Return how the host is, in text."""
        script = STAND.format(unit=self.wizard.unit, name=self.wizard.name)
        return self.wizard.host.sh(script, timeout_s=120).ok()

    def deploy(self, overlay: Path | None = None) -> runs.Run:
        """Bring an overlay to this one host."""
        given = {} if overlay is None else {"timmy_overlay_dir": str(overlay)}
        return runs.playbook(
            "playbooks/sidecar.yml", "--limit", self.wizard.host.name, "-e", json.dumps(given),
            inventories=runs.own_inventories(),
        )  # fmt: skip

    def sh(self, script: str) -> str:
        """Run a script as root, or fail."""
        return self.wizard.host.sh(f"set -e\n{script}", timeout_s=120).ok()


@pytest.fixture(scope="module")
def trial(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Bring the host to what the checkout says, and back to it in the end."""
    overlay = tmp_path_factory.mktemp("hostile") / "overlay"
    shutil.copytree(live.ROOT / "overlay", overlay)
    soul = overlay / "SOUL.md"
    text = soul.read_text(encoding="utf-8")
    assert text.count(f"{HEADING}\n\n") == 1
    soul.write_text(text.replace(f"{HEADING}\n\n", f"{HEADING}\n\n{LINE}\n"), encoding="utf-8")
    one = Trial(fleet.wizards[0], overlay)
    one.deploy().ok()
    yield one
    one.sh(f"rm -rf {PLACE}")
    one.deploy().ok()


# --- an operator's tree


def _rule_out(tree: Path, target: str) -> None:
    path = tree / "ownership.yml"
    text = path.read_text(encoding="utf-8")
    assert "paths:\n" in text
    rule = f"  - path: evil.txt\n    class: managed\n    to: {target}\n    reload: none\n"
    path.write_text(text.replace("paths:\n", f"paths:\n{rule}", 1), encoding="utf-8")
    (tree / "evil.txt").write_text("evil\n", encoding="utf-8")


def _many(tree: Path) -> None:
    """100,000 names for a hundred files: quickly made."""
    for folder in (tree / "skills" / f"evil{number}" for number in range(100)):
        folder.mkdir()
        (folder / "0").touch()
        for number in range(1, 1000):
            os.link(folder / "0", folder / str(number))


OVERLAYS: dict[str, tuple[Callable[[Path], object], str]] = {
    "absolute-path": (lambda tree: _rule_out(tree, "/etc/cron.d/evil"), "must stay inside the release"),
    "parent": (lambda tree: _rule_out(tree, "agents/{agent}/../../../evil"), "must stay inside the release"),
    "link-out": (
        lambda tree: (tree / "skills/evil.md").symlink_to("/etc/shadow"),
        "put the file itself there",
    ),
    "device": (lambda tree: os.mkfifo(tree / "skills/evil"), "an overlay holds files only"),
    "setuid": (lambda tree: (tree / "SOUL.md").chmod(0o4755), "take it away with chmod ug-s"),
    "newline": (lambda tree: (tree / "skills/a\nb").touch(), "rename it"),
    "100000-files": (_many, "keep data elsewhere"),
    "1-gib": (lambda tree: os.truncate(tree / "HEART.md", 2**30), "keep data elsewhere"),
}


@pytest.mark.parametrize("what", OVERLAYS)
def test_a_hostile_overlay_stops_before_any_host_is_touched(trial: Trial, tmp_path: Path, what: str) -> None:
    spoil, fix = OVERLAYS[what]
    tree = tmp_path / "overlay"
    shutil.copytree(trial.overlay, tree)
    spoil(tree)
    before = trial.stand()
    done = trial.deploy(tree)
    assert done.rc != 0
    assert fix in done.last, done.out[-3000:]
    assert trial.stand() == before


# --- an archive on the host


def _manifest(files: dict[str, tuple[bytes, str]]) -> dict[str, Any]:
    return release_format.make_manifest(
        files, {}, hermes_version="0.19.0", agents=[], classify=lambda _path: ("managed", "none")
    )


GOOD = {"a": (b"one\n", "0644"), "b/c": (b"two\n", "0644")}


def _archive(
    path: Path, *members: tuple[tarfile.TarInfo, Any], manifest: dict[str, Any] | None = None
) -> None:
    head = tarfile.TarInfo(release_format.MANIFEST)
    content = release_format.encode_manifest(manifest or _manifest(GOOD))
    head.size = len(content)
    with (
        gzip.open(path, "wb", 1) as out,
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        tar.addfile(head, io.BytesIO(content))
        for member, data in members:
            tar.addfile(member, data)


def _member(name: str, data: bytes | None = b"one\n", **fields: Any) -> tuple[tarfile.TarInfo, Any]:
    one = tarfile.TarInfo(name)
    one.size = len(data or b"")
    for key, value in fields.items():
        setattr(one, key, value)
    return one, None if data is None else io.BytesIO(data)


def _flipped(path: Path) -> None:
    """A good archive in which one byte changed on its way, where no checksum of the packer looks."""
    _archive(path, _member("a", b"onE\n"), _member("b/c", b"two\n"))


def _cut(path: Path) -> None:
    path.write_bytes(release_format.pack(_manifest(GOOD), GOOD)[:-60])


def _too_many(path: Path) -> None:
    entry = _manifest(GOOD)["files"]["a"]
    manifest = {**_manifest(GOOD), "files": {f"f{number}": entry for number in range(100_000)}}
    manifest["hash"] = release_format.content_hash(manifest)
    _archive(path, manifest=manifest)


def _huge(path: Path) -> None:
    """A file of 1 GiB of zeros, which is 1 MiB on its way."""
    with gzip.open(path, "wb", 1) as out:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            content = release_format.encode_manifest(_manifest(GOOD))
            head = tarfile.TarInfo(release_format.MANIFEST)
            head.size = len(content)
            tar.addfile(head, io.BytesIO(content))
        begin = buffer.getvalue().rstrip(b"\0")
        out.write(begin + bytes(-len(begin) % 512))
        member = tarfile.TarInfo("a")
        member.size = 2**30
        out.write(member.tobuf())
        for _mib in range(1024):
            out.write(bytes(MIB))


ARCHIVES: dict[str, Callable[[Path], None]] = {
    "absolute-path": lambda path: _archive(path, _member("/etc/cron.d/evil")),
    "parent": lambda path: _archive(path, _member("../../../etc/cron.d/evil")),
    "newline": lambda path: _archive(path, _member("a\nb")),
    "setuid": lambda path: _archive(path, _member("a", mode=0o4755)),
    "link-out": lambda path: _archive(path, _member("a", None, type=tarfile.SYMTYPE, linkname="/etc/shadow")),
    "hard-link": lambda path: _archive(
        path, _member("a", None, type=tarfile.LNKTYPE, linkname="/etc/shadow")
    ),
    "device": lambda path: _archive(path, _member("a", None, type=tarfile.BLKTYPE, devmajor=8, devminor=0)),
    "wrong-hash": _flipped,
    "cut-short": _cut,
    "100000-files": _too_many,
    "1-gib": _huge,
}


@pytest.fixture(scope="module")
def archives(trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Lay all of them onto the host; returns the hash that they claim to have."""
    place = tmp_path_factory.mktemp("archives")
    for name, make in ARCHIVES.items():
        make(place / name)
    whole = place.parent / "archives.tar"
    with tarfile.open(whole, "w") as tar:
        tar.add(place, ".")
    trial.wizard.host.unpack(whole, PLACE, "root")
    return str(_manifest(GOOD)["hash"])


@pytest.mark.parametrize("what", ARCHIVES)
def test_a_hostile_archive_is_refused_on_the_host(trial: Trial, archives: str, what: str) -> None:
    before = trial.stand()
    answer = trial.wizard.host.json(
        "/usr/bin/python3", "-I", "-B", "-c", HOST_TOOL, f"{PLACE}/{what}", archives, timeout_s=120
    )
    if what == "cut-short":
        # It is asked for anew; who sends it cut again is told so.
        assert answer["need_archive"], "the host took it"
    else:
        assert answer["failed"], "the host took it"
        assert answer["msg"].startswith("the archive is refused: "), answer["msg"]
        assert answer["msg"].endswith(SENT_AGAIN)
        assert answer["msg"].isprintable()
    assert answer["kib"] < 256 * 1024, "too much of it came into memory"
    assert trial.stand() == before
    assert trial.wizard.host.sh("ls /etc/cron.d/evil").rc != 0


# --- disks


def _instead(place: str, spare_kib: int) -> str:
    """Put a small disk with the same content in the place of a directory."""
    return (
        f"size=$(($(du -sk --apparent-size {place} | cut -f1) + $(find {place} | wc -l) * 4 + {spare_kib}))\n"
        f"mkdir -p {PLACE}/disk\n"
        f"mode=$(stat -c %a {place})\n"
        f"mount -t tmpfs -o size=${{size}}k,mode=$mode e2e-disk {PLACE}/disk\n"
        f"cp -a {place}/. {PLACE}/disk/\n"
        f"mount --bind {PLACE}/disk {place}\n"
        f"umount {PLACE}/disk\n"
    )


MAKE_ROOM = "free some space there and deploy again"
DISKS = {
    "full-opt": ("/opt/timmy", _instead("/opt/timmy", 600), MAKE_ROOM),
    "full-guard": ("/var/lib/timmy-guard", _instead("/var/lib/timmy-guard", 600), MAKE_ROOM),
    "full-etc": ("/etc/timmy", _instead("/etc/timmy", 600), MAKE_ROOM),
    "read-only-opt": (
        "/opt/timmy",
        _instead("/opt/timmy", 100 * 1024) + "mount -o remount,ro /opt/timmy\n",
        "mount it read-write and deploy again",
    ),
}


@pytest.mark.parametrize("what", DISKS)
def test_a_disk_that_takes_nothing_leaves_the_old_release(trial: Trial, what: str) -> None:
    place, spoil, fix = DISKS[what]
    before = trial.stand()
    trial.sh(f"mkdir -p {PLACE}\n{spoil}")
    try:
        assert trial.stand() == before, "the trial itself changed something"
        done = trial.deploy(trial.overlay)
        after = trial.stand()
    finally:
        trial.sh(f"umount {place}")
    assert done.rc != 0
    assert fix in done.last, done.out[-3000:]
    # What was staged before the refusal may stay; all that was there has to.
    for seen in (after, trial.stand()):
        assert [line for line in before.splitlines() if line not in seen.splitlines()] == []
        assert seen == before or place != "/opt/timmy"


def test_the_next_good_run_succeeds_and_nothing_is_left_over(trial: Trial) -> None:
    trial.sh(f"rm -rf {PLACE}")
    before = trial.stand()
    done = trial.deploy(trial.overlay).ok()
    assert done.changed()[trial.wizard.host.name] >= 1
    assert trial.stand().splitlines()[0] != before.splitlines()[0]
    told = trial.wizard.host.run("cat", f"/home/{trial.wizard.name}/.hermes/SOUL.md", user=trial.wizard.name)
    assert LINE in told.ok()
    assert trial.wizard.api("GET", "/health/detailed")["status"] == "ok"
    assert trial.sh(LEFT_OVER).strip() == ""
    again = trial.deploy(trial.overlay).ok()
    assert again.changed() == {trial.wizard.host.name: 0}
