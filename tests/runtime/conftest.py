# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests of the runtime need: the scripted model, and the real Hermes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import model_script
import model_server
import pytest

from timmy.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
MODEL_DIR = ROOT / "sandbox" / "model"


@dataclass(frozen=True)
class RunningModel:
    """A scripted model on loopback."""

    url: str
    log: Path

    def requests(self) -> list[dict[str, Any]]:
        """Return what was asked of it so far."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def chats(self) -> list[dict[str, Any]]:
        """Return the chat calls that a rule answered."""
        return [row for row in self.requests() if "call" in row]


@pytest.fixture
def serve_model(tmp_path: Path) -> Iterator[Callable[..., RunningModel]]:
    """Return a function that starts a model with these rules, or with the default script."""
    running: list[Any] = []

    def start(rules: list[dict[str, Any]] | None = None) -> RunningModel:
        if rules is None:
            script = model_script.load(MODEL_DIR / "default.json")
        else:
            whole = {"schema": 1, "model": "gemma-4-31b-it", "context_length": 65536, "rules": rules}
            script = model_script.parse("test", json.dumps(whole))
        log = tmp_path / f"model-{len(running)}.jsonl"
        server = model_server.ModelServer(("127.0.0.1", 0), script, log, time.time)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        running.append(server)
        return RunningModel(f"http://127.0.0.1:{server.server_address[1]}", log)

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def context() -> Context:
    """Return the real clocks, as cli.py makes them."""
    return Context(now=time.time, monotonic=time.monotonic)


@pytest.fixture(scope="session")
def hermes_binary() -> Path:
    """Return the real Hermes: HERMES_BIN, or build/hermes, made from the role's own lock file."""
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "hermes.py"], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        pytest.fail(f"there is no Hermes to test with: {made.stderr}", pytrace=False)
    return Path(made.stdout.strip())


@pytest.fixture(scope="session")
def hermes_python(hermes_binary: Path) -> Path:
    """Return the interpreter that has Hermes' own modules."""
    return hermes_binary.parent / "python"
