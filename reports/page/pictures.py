"""Figures as parts of a page: in the smaller format, with their finding in words."""

from types import MappingProxyType

from matplotlib.figure import Figure

from reports.drawing import FIGURES, as_bytes
from reports.page.content import Picture

CAPTIONS = MappingProxyType(
    {
        "storm": "Attempts to connect per second, by what became of them.",
        "recovery": "Share of the clients that is connected, beside the fastest possible.",
        "raster": "Every attempt as a dot, a row for each client: vertical lines are lockstep.",
        "states": "What all clients are doing, piled up to the whole fleet.",
        "cohorts": "Share of each cohort that is connected.",
        "arrivals": "What arrivals at the server met.",
        "nodes": "Connections that each node holds.",
        "backlog": "Jobs waiting at each stage.",
        "goodput": "What became of the work at each stage.",
        "syncs": "What became of requests for what was missed.",
        "lost": "Connections lost that no outage had touched.",
    }
)


def picture_of(name: str, figure: Figure, *, png: bytes | None = None) -> Picture:
    """A figure ready to be put into a page.

    Args:
        name: Which of the standard figures it is.
        figure: As drawn.
        png: The same as a PNG file, where there is one already.
    """
    svg = as_bytes(figure, "svg")
    png = as_bytes(figure, "png") if png is None else png
    is_vector = len(svg) <= len(png)
    return Picture(
        name=name,
        caption=CAPTIONS.get(name, name),
        finding=finding_in(figure),
        media_type="image/svg+xml" if is_vector else "image/png",
        data=svg if is_vector else png,
        file=f"{FIGURES}/{name}.png",
    )


def finding_in(figure: Figure) -> str:
    """What a figure says in words: its heading, then the titles of its panels or its legend."""
    heading = figure.get_suptitle()
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    found = [": ".join(title.split("\n", 1)).replace("\n", " ") for title in titles if title]
    if not found:
        found = [
            text.get_text()
            for ax in figure.axes
            if (legend := ax.get_legend()) is not None
            for text in legend.get_texts()
        ]
    return ". ".join(filter(None, [heading, "; ".join(found)]))
