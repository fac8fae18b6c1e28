# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripted model: an OpenAI- and Ollama-compatible server whose answers come from a script.

It stands in for model weights, and for nothing else: everything that talks to it is the real thing.
The files of this folder and the standard library are all it needs, on any host of the sandbox:

    python3 scripted_model.py --listen 127.0.0.1:11434 --script default.json --log requests.jsonl
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

from model_script import ScriptError, load
from model_server import ModelServer


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return host.strip("[]"), int(port)


def main(argv: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripted_model.py", description=__doc__.splitlines()[0])
    parser.add_argument("--listen", type=_address, default=("127.0.0.1", 11434), metavar="HOST:PORT")
    parser.add_argument("--script", type=Path, default=Path(__file__).with_name("default.json"))
    parser.add_argument("--log", type=Path, help="append one JSON line per request")
    options = parser.parse_args(argv)
    try:
        script = load(options.script)
        server = ModelServer(options.listen, script, options.log, time.time)
    except ScriptError as error:
        print(f"scripted_model.py: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = ":".join(map(str, options.listen))
        print(f"scripted_model.py: cannot listen on {where}: {error}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        # stop() waits for the serving loop, which is the thread that runs this handler
        signal.signal(number, lambda *_: threading.Thread(target=server.stop).start())
    print(f"{script.model} on http://{server.server_address[0]!s}:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
