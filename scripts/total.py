# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add up the JUnit reports below build/test and end with one line: `N passed, N failed, N skipped`."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "build" / "test"


def outcomes(path: Path) -> Counter[str]:
    """Count the outcomes of one report; a report that cannot be read is a failure."""
    try:
        cases = list(ET.parse(path).iter("testcase"))  # noqa: S314  # our own reports
    except (ET.ParseError, OSError) as error:
        print(f"{path.name}: not a JUnit report: {error}")
        return Counter(failed=1)
    count: Counter[str] = Counter()
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            count["failed"] += 1
        elif case.find("skipped") is not None:
            count["skipped"] += 1
        else:
            count["passed"] += 1
    return count


def main() -> int:
    """Print the sum; no test at all is a failure as well."""
    total: Counter[str] = Counter()
    for path in sorted(RESULTS.rglob("*.xml")):
        count = outcomes(path)
        if count["failed"]:
            print(f"{path.relative_to(RESULTS)}: {count['failed']} failed")
        total += count
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
