# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure one headless Hermes with one tool call, against `hermes --version`: one JSON line.

Uses HERMES_BIN, or build/hermes, which scripts/hermes.py makes. A run that its usage file does not
call a success is no figure: the program says so and exits with 1.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from timmy import hermes  # noqa: E402 - the package is not installed, its place is added above

ROUNDS = 5
CONFIG = """_config_version: 33
model: {{provider: ollama, default: gemma-4-31b-it, base_url: "{url}/v1", context_length: 65536}}
security: {{tirith_enabled: false, allow_lazy_installs: false}}
"""


def oneshot(binary: Path, root: Path, url: str) -> hermes.Result:
    """Run one Hermes in a home that lasts over the rounds, as an agent's does."""
    (root / "home/.hermes").mkdir(parents=True, exist_ok=True)
    (root / "work").mkdir(exist_ok=True)
    (root / "home/.hermes/config.yaml").write_text(CONFIG.format(url=url), encoding="utf-8")
    request = hermes.Request(binary, root / "work", root / "home", None, "prove that tools work", 120.0)
    return hermes.run(request, time.monotonic)


def measure(binary: Path) -> dict[str, object]:
    """Return the figure; raise RuntimeError where a run was no success."""
    program = [sys.executable, str(ROOT / "sandbox/model/scripted_model.py"), "--listen", "127.0.0.1:0"]
    values, versus = [], []
    with (
        tempfile.TemporaryDirectory(prefix="timmy-bench-") as name,
        subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as model,
    ):
        try:
            url = model.stdout.readline().split()[-1] if model.stdout else ""
            for number in range(ROUNDS + 1):
                started = time.perf_counter()
                subprocess.run([binary, "--version"], stdout=subprocess.DEVNULL, check=True, timeout=60)
                bare = time.perf_counter() - started
                result = oneshot(binary, Path(name), url)
                if not result.ok:
                    raise RuntimeError(f"run {number}: {result.outcome.value}: {result.reason}")
                if number:  # the first one fills the home
                    values.append(result.duration_s)
                    versus.append(bare)
        finally:
            model.terminate()
    value, other = statistics.median(values), statistics.median(versus)
    return {
        "name": "hermes.oneshot_s",
        "value": round(value, 3),
        "unit": "s",
        "versus": {"name": "hermes --version", "value": round(other, 3)},
        "ratio": round(value / other, 3),
    }


def main() -> int:
    """Print the figure; return the exit code."""
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "hermes.py"], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        sys.stderr.write(f"hermes_oneshot: {made.stderr}")
        return 1
    try:
        figure = measure(Path(made.stdout.strip()))
    except RuntimeError as error:
        sys.stderr.write(f"hermes_oneshot: {error}\n")
        return 1
    sys.stdout.write(json.dumps(figure) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
