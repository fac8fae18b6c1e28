# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a power cut leaves: the changes that continuity_power.c noted, but those that were not durable yet.

A file's content is durable as of its last fsync, a name as of the last fsync of the folder. What came later
may be on the disk or not, each by itself; `worlds` are the ends of that and some chance in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

Names = dict[str, int]


@dataclass
class Disk:
    """A folder as programs see it, and as the disk has it for certain."""

    seen: Names = field(default_factory=dict)
    sure: Names = field(default_factory=dict)
    # Names after each change since the last sync of them: a journal keeps their order.
    between: list[Names] = field(default_factory=list)
    content: dict[int, bytes] = field(default_factory=dict)
    durable: dict[int, bytes] = field(default_factory=dict)
    said: bytes = b""
    # Numbers of inodes are used again; a file here has a number of its own.
    files: dict[str, int] = field(default_factory=dict)

    def apply(self, line: str) -> None:
        """Take one change in."""
        verb, *words = line.split()
        if verb == "said":
            self.said += bytes.fromhex(words[0])
        elif verb == "create":
            number = self.files[words[0]] = len(self.content)
            self.content[number] = b""
            self._named({**self.seen, words[1]: number})
        elif verb == "write":
            number, at, data = self.files[words[0]], int(words[1]), bytes.fromhex(words[2])
            old = self.content[number]
            self.content[number] = old[:at].ljust(at, b"\0") + data + old[at + len(data) :]
        elif verb == "cut":
            number = self.files[words[0]]
            self.content[number] = self.content[number][: int(words[1])].ljust(int(words[1]), b"\0")
        elif verb == "sync":
            self.durable[self.files[words[0]]] = self.content[self.files[words[0]]]
        elif verb == "sync-names":
            self.sure, self.between = dict(self.seen), []
        elif verb == "link":
            self._named({**self.seen, words[1]: self.files[words[0]]})
        elif verb == "rename":
            names = dict(self.seen)
            names[words[1]] = names.pop(words[0])
            self._named(names)
        else:
            assert verb == "unlink", line
            self._named({name: number for name, number in self.seen.items() if name != words[0]})

    def _named(self, names: Names) -> None:
        self.seen = names
        self.between.append(names)

    def worlds(self, chance: Random) -> Iterator[dict[str, bytes]]:
        """Folders that a cut at this moment may leave."""
        durable = {number: self.durable.get(number, b"") for number in self.content}
        yield {name: durable[number] for name, number in self.sure.items()}
        yield {name: durable[number] for name, number in self.seen.items()}
        yield {name: self.content[number] for name, number in self.sure.items()}
        names = chance.choice([self.sure, *self.between])
        yield {name: self._some(number, durable[number], chance) for name, number in names.items()}

    def _some(self, number: int, durable: bytes, chance: Random) -> bytes:
        """What is durable, and a part of what came after it: cut anywhere, maybe without the bytes."""
        new = self.content[number]
        if new[: len(durable)] != durable:
            return chance.choice([durable, new])
        rest = new[len(durable) : chance.randint(len(durable), len(new))]
        return durable + chance.choice([rest, bytes(len(rest))])


def lay(folder: Path, files: dict[str, bytes]) -> None:
    """Make such a folder."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
