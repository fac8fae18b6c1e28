# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one executable file of the pocket forge, with Gitea's command line: `pack_forge.py FILE`.

The same sources always give the same bytes, so the file can be named by its hash. It prints what a role needs
to know of it, as JSON: path, SHA-256 and version.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Isolated from the variables and packages of whoever starts it.
HEAD = b"#!/usr/bin/python3 -I\n"
START = "import sys\nfrom forge.gitea_face import main\nsys.exit(main(sys.argv[1:]))\n"
EPOCH = (1980, 1, 1, 0, 0, 0)


def packed() -> bytes:
    """Return the bytes of the file."""
    sources = {
        f"forge/{path.name}": path.read_text(encoding="utf-8") for path in (HERE / "forge").glob("*.py")
    }
    out = io.BytesIO(HEAD)
    out.seek(len(HEAD))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted({**sources, "__main__.py": START}.items()):
            member = zipfile.ZipInfo(name, EPOCH)
            member.external_attr = 0o644 << 16
            archive.writestr(member, text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def main(target: Path) -> int:
    """Write the file, unless it is there already."""
    sys.path.insert(0, str(HERE))
    from forge.state import VERSION  # noqa: PLC0415 - found through the line above

    data = packed()
    if not target.exists() or target.read_bytes() != data:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o755)
    about = {"path": str(target), "sha256": hashlib.sha256(data).hexdigest(), "version": VERSION}
    print(json.dumps(about))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
