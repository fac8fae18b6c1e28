"""Paths for every test: the runtime from src, the collection from its link in build, the scripted model."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

for place in (ROOT / "src", ROOT / "build" / "collections", ROOT / "sandbox" / "model", ROOT / "sandbox"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))
