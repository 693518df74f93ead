"""How a run was measured, and what is not in it."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from reports.page.content import Group, Item, Section
from reports.wording import listed, seconds
from simulator.results import Manifest, RunResult

_ENGINES: Mapping[str, str] = MappingProxyType(
    {
        "live": "Live: real clients in processes of their own connect over kernel sockets to a "
        "stub server in another; refusals, resets and accept queues are the kernel's.",
        "virtual": "Virtual: the same client and server code on a virtual clock and a network in "
        "memory; no lag, and the same seed gives the same tables byte for byte.",
        "model": "Model: the rules of clients and server worked out over arrays, in whole "
        "nanoseconds; the same seed gives the same tables.",
        "serve": "Serve: your own clients connected to the stub server, which recorded it.",
    }
)
_NOT_MODELLED = (
    "DNS, bandwidth and packet loss: a path is whole or cut.",
    "Browsers' limits on connections per host.",
    "A dial costs one fixed round trip; connections do not compete for the network.",
)
_NOT_BY_ENGINE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "live": (
            "Everything is on loopback: what your network adds is not in it, and a burst is as "
            "wide as this machine takes to send it.",
        ),
        "virtual": ("The time that a real machine and its kernel take: here it is none.",),
        "model": ("The time that a real machine and its kernel take: here it is none.",),
        "serve": ("Attempts that found nobody listening left no trace.",),
    }
)


def methods(results: Mapping[str, RunResult]) -> Section:
    """How the figures came about, and what they leave out.

    Args:
        results: By policy; runs of one command.
    """
    manifests = [result.manifest for result in results.values()]
    first = manifests[0]
    notes = dict.fromkeys(note for manifest in manifests for note in manifest.notes)
    unmeasured = dict.fromkeys(name for manifest in manifests for name in manifest.unmeasured)
    left_out = [*_NOT_MODELLED, *_NOT_BY_ENGINE[first.engine], *map(_sentence, notes)]
    if unmeasured:
        left_out.append(f"Not measured: {listed(list(unmeasured))}.")
    return Section(
        key="methods",
        title="How this was measured, and what is not in it",
        groups=(
            Group(title="Method", items=tuple(Item(text=text) for text in _method(first))),
            Group(title="Not modelled", items=tuple(Item(text=text) for text in left_out)),
            Group(title="Made with", items=tuple(Item(text=text) for text in _made_with(first))),
        ),
    )


def _method(manifest: Manifest) -> Iterator[str]:
    yield _ENGINES[manifest.engine]
    if manifest.target is not None:
        yield (
            f"The server is not herd's: {manifest.target}. Its outages are inferred from the "
            "clients."
        )
    limits = manifest.verdict_thresholds
    yield (
        f"The verdict is ok while 99 % of attempts and services are at most {seconds(limits.ok)} "
        f"late, strained up to {seconds(limits.strained)}, else saturated."
    )
    yield (
        "Latency counts from when a thing was due. Clients that never came back stay in every "
        "share and percentile, as never."
    )
    yield (
        "Times to recovery count from the end of the outage to the first instant from which that "
        "share of its clients stays connected; of several outages the worst one counts."
    )


def _made_with(manifest: Manifest) -> Iterator[str]:
    yield f"herd {manifest.herd_version}, seed {manifest.seed}, recorded {manifest.created_at}"
    if manifest.versions:
        yield ", ".join(f"{name} {version}" for name, version in manifest.versions.items())


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}{'' if note.endswith('.') else '.'}"
