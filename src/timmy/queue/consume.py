# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door `huey_consumer.py timmy.tasks.huey -w 2 -k thread`: Huey's own options, our consumer."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from huey.consumer_options import ConsumerConfig, OptionParserHandler
from huey.exceptions import ConfigurationError

from timmy.errors import UsageError
from timmy.queue.durable import DurableHuey
from timmy.queue.model import one_line

EXAMPLE = "such as timmy.tasks.huey"


def load(path: str) -> DurableHuey:
    """Return the instance of that dotted name, from where Python imports and nowhere else."""
    module, _dot, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, ValueError, AttributeError) as error:
        raise UsageError(f"{one_line(path)!r} cannot be imported: {one_line(str(error))}", EXAMPLE) from None
    if not isinstance(found, DurableHuey):
        raise UsageError(f"{one_line(path)!r} is no durable queue", EXAMPLE)
    return found


def consume(argv: Sequence[str]) -> NoReturn:
    """Consume until a signal comes, then end the process: 0, or 75 when tasks were given back."""
    parser = OptionParserHandler().get_option_parser()
    parser.prog = "huey_consumer.py"
    options, names = parser.parse_args(list(argv))
    if len(names) != 1:
        raise UsageError("name one queue", EXAMPLE)
    try:
        config = ConsumerConfig(**{key: value for key, value in vars(options).items() if value is not None})
        config.validate()
        huey = load(names[0])
        config.setup_logger(logging.getLogger("huey"))
        # unreadable or foreign queues end here, with their own line, and not in a log that repeats
        huey.storage.jobs.counts()
        consumer = huey.create_consumer(**config.values)
    except (ConfigurationError, ValueError) as error:
        raise UsageError(one_line(str(error)), "see huey_consumer.py --help") from None
    code = consumer.run()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # a task that was given back must not go on in its thread while Python cleans up
    os._exit(code)
