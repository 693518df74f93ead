"""Plays schedules from the command line: `python -m tests.faults --seeds 0:10000`."""

import argparse
import sys
import time
from pathlib import Path

from .report import failure_of
from .schedule import Schedule
from .shrinking import violations_of


def main():
    """Play, report, and say by the exit code whether every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", default="0:500", help="one seed, or FIRST:END")
    parser.add_argument("--schedule", type=Path, help="a schedule from a file instead")
    parser.add_argument("--no-shrink", action="store_true", help="report failures as they are")
    options = parser.parse_args()
    if options.schedule is not None:
        return _play_file(options.schedule)
    return _play_seeds(_seeds(options.seeds), shrinks=not options.no_shrink)


def _seeds(text):
    first, colon, end = text.partition(":")
    return range(int(first), int(end) if colon else int(first) + 1)


def _play_file(path):
    violations = violations_of(Schedule.from_toml(path.read_text(encoding="utf-8")))
    for promise, what in violations:
        print(f"{promise}: {what}")  # noqa: T201 - this is a command
    print(f"{len(violations)} violations")  # noqa: T201
    return bool(violations)


def _play_seeds(seeds, *, shrinks):
    began_at = time.process_time()
    n_failed = 0
    for number, seed in enumerate(seeds, start=1):
        report = failure_of(seed, shrinks=shrinks)
        if report is not None:
            n_failed += 1
            print(report, flush=True)  # noqa: T201
        if number % 100 == 0 or number == len(seeds):
            spent = time.process_time() - began_at
            print(  # noqa: T201
                f"{number} of {len(seeds)} schedules, {n_failed} failed, {spent:.0f} s of CPU",
                file=sys.stderr,
                flush=True,
            )
    return bool(n_failed)


if __name__ == "__main__":
    sys.exit(main())
