"""The verdict in words: can the figures be trusted and, if not, what to change."""

from reports.reading import Summary
from simulator.results import Manifest


def verdict_in_words(summary: Summary, manifest: Manifest) -> str:
    """Whether the figures can be trusted and, if not, what to change."""
    limits = manifest.verdict_thresholds
    is_ours = manifest.target is None
    if summary["cut_short"]:
        return f"The verdict on the recorded part is {summary['verdict']}."
    if manifest.engine == "serve":
        return _server_verdict(summary, manifest)
    if manifest.engine == "model":
        return (
            f"The verdict is {summary['verdict']}: this run was worked out by the rules and "
            "nothing was measured on a machine, so the figures show the policy and the rules alone."
        )
    if summary["verdict"] == "ok":
        return (
            f"The verdict is ok: {'clients and server' if is_ours else 'the clients'} kept up with "
            f"the schedule (99 % within {1000 * limits.ok:,.0f} ms), so the figures show the policy"
            f"{'.' if is_ours else ' and your server. It rests on the clients alone.'}"
        )
    if manifest.n_held_back:
        return (
            f"The verdict is {summary['verdict']}: over 1 % was more than "
            f"{1000 * limits.ok:,.0f} ms late, and the ceiling on connects held "
            f"{manifest.n_held_back:,} attempts back, so the figures show that ceiling. Try fewer "
            f"clients, longer delays or a higher --max-connects."
        )
    faster = "" if manifest.transport == "wsproto" else ", the faster transport (wsproto)"
    return (
        f"The verdict is {summary['verdict']}: over 1 % was more than {1000 * limits.ok:,.0f} ms "
        f"late, so the figures show this machine's limits, not the policy's. Try fewer clients, "
        f"longer delays{faster} or a machine with more cores."
    )


def _server_verdict(summary: Summary, manifest: Manifest) -> str:
    """What can be said when only the server's side was watched."""
    limit = f"{1000 * manifest.verdict_thresholds.ok:,.0f} ms"
    unseen = (
        "Attempts that found nobody listening left no trace here, and when clients noticed their "
        "losses nobody knows: what depends on it is not measured."
    )
    if summary["verdict"] == "ok":
        return f"The verdict is ok: the server kept up (99 % within {limit}). {unseen}"
    return (
        f"The verdict is {summary['verdict']}: over 1 % of the handshakes were served more than "
        f"{limit} late, so the figures show this machine's limits. Try fewer clients. {unseen}"
    )
