"""What the processes of a run write down while it lasts, in streams called after these tables."""

from dataclasses import dataclass, field

from server_stub.tables import (
    DEPARTURES,
    LOSSES,
    OUTAGES,
    PUBLICATIONS,
    SERVER,
    SERVICES,
    TALLIES,
    VISITS,
    Column,
    Columns,
    Schema,
)
from simulator.results import ATTEMPTS, CLIENTS, DISCONNECTS


def _like(schema: Schema, *names: str) -> tuple[Column, ...]:
    """Columns that go into the finished table as they are."""
    by_name = {column.name: column for column in schema.columns}
    return tuple(by_name[name] for name in names)


RAW_ATTEMPTS = Schema(
    name="attempts",
    columns=_like(
        ATTEMPTS,
        *("client", "episode", "attempt", "node", "due_at", "started_at", "ended_at", "outcome"),
    ),
)

RAW_DISCONNECTS = Schema(
    name="disconnects",
    columns=(
        *_like(DISCONNECTS, "client"),
        Column(name="episode", dtype="u4", meaning="the episode that this loss begins, from 1"),
        *_like(DISCONNECTS, "noticed_at", "noticed_by", "close_code"),
    ),
)

RAW_GIVE_UPS = Schema(
    name="give_ups",
    columns=(
        *_like(CLIENTS, "client"),
        Column(name="gave_up_at", dtype="f8", unit="s", meaning="when it stopped trying"),
    ),
)


RAW_ACCOUNTS = Schema(
    name="accounts",
    columns=(
        *_like(CLIENTS, "client", "synced_at", "n_delta_sync", "n_full_refresh"),
        Column(name="n_heard", dtype="u4", meaning="events heard; 0 for a client that syncs"),
        Column(name="epoch", dtype="u4", meaning="of the last event heard; 0 for none"),
        Column(name="event", dtype="u4", meaning="id of the last event heard; 0 for none"),
        *_like(CLIENTS, "n_operations"),
        Column(name="n_unanswered", dtype="u4", meaning="operations that still wait"),
        Column(name="n_set_aside", dtype="u4", meaning="operations rejected for good"),
    ),
)
"""One row per client, written when its process ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RawTables:
    """What the processes of a run wrote down; instants are readings of the absolute clock."""

    attempts: Columns = field(default_factory=RAW_ATTEMPTS.empty)
    disconnects: Columns = field(default_factory=RAW_DISCONNECTS.empty)
    give_ups: Columns = field(default_factory=RAW_GIVE_UPS.empty)
    accounts: Columns = field(default_factory=RAW_ACCOUNTS.empty)
    losses: Columns = field(default_factory=LOSSES.empty)
    outages: Columns = field(default_factory=OUTAGES.empty)
    server: Columns = field(default_factory=SERVER.empty)
    services: Columns = field(default_factory=SERVICES.empty)
    publications: Columns = field(default_factory=PUBLICATIONS.empty)
    tallies: Columns = field(default_factory=TALLIES.empty)
    visits: Columns = field(default_factory=VISITS.empty)
    departures: Columns = field(default_factory=DEPARTURES.empty)


RAW_TABLES = {
    "attempts": RAW_ATTEMPTS,
    "disconnects": RAW_DISCONNECTS,
    "give_ups": RAW_GIVE_UPS,
    "accounts": RAW_ACCOUNTS,
    "losses": LOSSES,
    "outages": OUTAGES,
    "server": SERVER,
    "services": SERVICES,
    "publications": PUBLICATIONS,
    "tallies": TALLIES,
    "visits": VISITS,
    "departures": DEPARTURES,
}
"""The schemas of the raw tables by name, which is also the name of their streams."""
