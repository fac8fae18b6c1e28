# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a release: what is here, what is attached, and which of them are the same.

The forge tells an attachment's size and nothing else of its content. Where the sizes agree, its SHA-256 comes
from a checksum file that is attached too, when one is kept, or else from reading it whole.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .gitea_admin_types import Attachment
from .gitea_client import GiteaClient
from .gitea_ensure import Fields, KeepError
from .gitea_transport import Content

UNKNOWN = ""
SUMS_BYTES = 1024 * 1024
_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_NAME = re.compile(r"[^/\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True)
class Upload:
    """A file to attach: its name there, its bytes, and what they are."""

    name: str
    content: Content = field(repr=False)
    sha256: str

    @property
    def said(self) -> Fields:
        """Return it as modules show it."""
        return {"size": self.content.length, "sha256": self.sha256}

    def fits(self, attached: Attachment, sha256: str) -> bool:
        """Return whether an attachment has the same bytes."""
        return (attached.size, sha256) == (self.content.length, self.sha256)


def local(path: Path, name: str) -> Upload:
    """Return a file of this machine, read once to know it. Raises KeepError."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            length = stream.tell()
    except OSError as error:
        raise KeepError(f"files: {path} cannot be read: {error.strerror or error}") from error
    return Upload(name, Content(lambda: path.open("rb"), length), digest)


def written(name: str, text: str) -> Upload:
    """Return a file that is made here."""
    data = text.encode()
    return Upload(name, Content(lambda: io.BytesIO(data), len(data)), hashlib.sha256(data).hexdigest())


def locals_of(given: Sequence[Mapping[str, Any]], sums_name: str) -> dict[str, Upload]:
    """Return the declared files by name, in the order in which they are declared. Raises KeepError."""
    found: dict[str, Upload] = {}
    for row in given:
        path = Path(row["path"])
        name = row["name"] or path.name
        if not _NAME.fullmatch(name):
            raise KeepError(f"files: {name!r} is no name for an attachment; give one without / as name")
        if name in found or name == sums_name:
            raise KeepError(f"files: {name} is declared twice; give each its own name")
        found[name] = local(path, name)
    return found


def parse_sums(text: str) -> dict[str, str]:
    """Return the SHA-256 of each file that a checksum file names, in the form of sha256sum."""
    rows = (_SUM.fullmatch(line) for line in text.splitlines())
    return {row.group(2): row.group(1) for row in rows if row is not None}


def format_sums(sums: Mapping[str, str]) -> str:
    """Return a checksum file, by name."""
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))


@dataclass
class Attached:
    """The attachments of a release, and the SHA-256 of those that had to be known, by id."""

    rows: Sequence[Attachment]
    sums: dict[int, str] = field(default_factory=dict)

    def named(self, name: str) -> list[Attachment]:
        """Return the attachments of a name; the forge lets several have it."""
        return [one for one in self.rows if one.name == name]

    def shown(self) -> dict[str, Fields]:
        """Return them as modules show them, by name; doubles count as one that is not known."""
        found: dict[str, Fields] = {}
        for one in self.rows:
            said = {"size": one.size, "sha256": self.sums.get(one.id, UNKNOWN)}
            found[one.name] = (
                said
                if one.name not in found
                else {"size": found[one.name]["size"] + one.size, "sha256": UNKNOWN}
            )
        return dict(sorted(found.items()))


def compare(
    forge: GiteaClient, rows: Sequence[Attachment], wanted: Iterable[Upload], sums_name: str
) -> tuple[Attached, dict[str, str]]:
    """Return the attachments with what had to be known of them, and what the checksum file says.

    Only what has the size that is wanted is read, and only when the checksum file does not name it.
    """
    attached = Attached(rows)
    told = _told(forge, attached, sums_name) if sums_name else {}
    for upload in wanted:
        for one in attached.named(upload.name):
            if one.size == upload.content.length:
                known = told.get(one.name) if len(attached.named(one.name)) == 1 else None
                attached.sums[one.id] = known or forge.hash_attachment(one.uuid)
    return attached, told


def hash_all(forge: GiteaClient, rows: Sequence[Attachment]) -> Attached:
    """Return the attachments, every one of them read."""
    return Attached(rows, {one.id: forge.hash_attachment(one.uuid) for one in rows})


def _told(forge: GiteaClient, attached: Attached, sums_name: str) -> dict[str, str]:
    """What the checksum file says; nothing when there is none, or none to believe."""
    found = attached.named(sums_name)
    if len(found) != 1 or found[0].size > SUMS_BYTES:
        return {}
    data = forge.read_attachment(found[0].uuid)
    attached.sums[found[0].id] = hashlib.sha256(data).hexdigest()
    return parse_sums(data.decode("utf-8", "replace"))


def goal(
    attached: Attached, uploads: dict[str, Upload], told: Mapping[str, str], sums_name: str, *, purge: bool
) -> dict[str, Upload | None]:
    """Return what is to be attached by name; None is what stays as it is. The checksum file comes last."""
    stays = {} if purge else {one.name: None for one in attached.rows if one.name != sums_name}
    wanted: dict[str, Upload | None] = {**stays, **uploads}
    if sums_name:
        sums = {name: told[name] for name in stays if name in told}
        sums |= {name: upload.sha256 for name, upload in uploads.items()}
        wanted[sums_name] = written(sums_name, format_sums(sums))
    return wanted


def attach(
    forge: GiteaClient, repo: str, release_id: int, attached: Attached, wanted: Mapping[str, Upload | None]
) -> Attached:
    """Attach what is missing, then remove what is not wanted, so that no file is ever away."""
    kept = [one for one in attached.rows if one.name in wanted and wanted[one.name] is None]
    sums = {one.id: attached.sums[one.id] for one in kept if one.id in attached.sums}
    for upload in wanted.values():
        if upload is None:
            continue
        fitting = [
            one for one in attached.named(upload.name) if upload.fits(one, attached.sums.get(one.id, UNKNOWN))
        ]
        there = fitting[0] if fitting else _uploaded(forge, repo, release_id, upload)
        kept.append(there)
        sums[there.id] = upload.sha256
    for one in attached.rows:
        if one.id not in {each.id for each in kept}:
            forge.delete_attachment(repo, release_id, one.id)
    return Attached(kept, sums)


def _uploaded(forge: GiteaClient, repo: str, release_id: int, upload: Upload) -> Attachment:
    made = forge.create_attachment(repo, release_id, upload.name, upload.content)
    if made.size != upload.content.length:
        raise KeepError(f"{upload.name}: the forge stored {made.size} of {upload.content.length} bytes")
    return made
