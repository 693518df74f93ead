"""The README's table of presets, made from the presets themselves.

`python -m reports.presets_table README.md` writes it anew between its two markers.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from simulator.core.backoff import most_retries
from simulator.core.presets import PRESETS, Preset
from simulator.core.preview import delay_bounds

BEGIN = "<!-- presets: begin, written by python -m reports.presets_table -->"
END = "<!-- presets: end -->"

_ATTEMPTS = 6
"""Whose delays are shown."""
_HEADERS = (
    "`--policy`",
    "library",
    "delays before attempts 1 to 6 (s; ... the same from then on)",
    "gives up",
    "in a storm",
)


def presets_table() -> str:
    """The presets as a table in Markdown, a line for each."""
    rows = [_HEADERS, ("---",) * len(_HEADERS), *map(_row, PRESETS.values())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(preset: Preset) -> tuple[str, ...]:
    most = most_retries(preset.policy)
    return (
        f"`{preset.name}`",
        f"{preset.library}, {preset.version}",
        ", ".join(_delays(preset)),
        "never" if most is None else "after 1 retry" if most == 1 else f"after {most} retries",
        preset.storm,
    )


def _delays(preset: Preset) -> Iterator[str]:
    """Each delay, or its range; what repeats to the end of the list is told once."""
    bounds = delay_bounds(preset.policy, _ATTEMPTS)
    runs = [(bound, len(list(same))) for bound, same in groupby(bounds)]
    for place, ((low, high), n_same) in enumerate(runs, start=1):
        text = f"{low:.3g}" if low == high else f"{low:.3g}-{high:.3g}"
        if place == len(runs) and n_same > 1 and len(bounds) == _ATTEMPTS:
            yield f"{text} ..."
        else:
            yield from [text] * n_same


def renewed(document: str) -> str:
    """A document with the table as it is now between the markers.

    Raises:
        ValueError: The markers are not both there, in this order.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"needs the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{presets_table()}\n\n{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")
