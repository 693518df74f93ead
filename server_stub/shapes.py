"""Built-in shapes of stages to start from.

Only the times of TLS were measured. All the others are placeholders of a plausible size: what holds
for your own services must be measured there, and written over them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

SHAPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # Processor time, so its workers are cores. Measured with OpenSSL 3.0 (TLS 1.3, X25519) on
        # one core of a two-core virtual machine, server's side alone: 1.1 ms for a full handshake
        # with an RSA key of 2048 bits, 0.3 ms for a resumed one. (With an ECDSA key of 256 bits a
        # full one takes 0.4 ms.) The keys of session tickets live in the process.
        "tls": {
            "when": "before",
            "workers": 2,
            "service_time": {"kind": "lognormal", "mean": 0.0003, "cv": 0.2},
            "cold": {"service_time": {"kind": "lognormal", "mean": 0.0011, "cv": 0.2}},
            "backlog": 10_000,
        },
        # Placeholder: a call to an identity provider elsewhere, for the clients whose short-lived
        # token has expired; the node caches the rest, and its cache does not survive a restart.
        "token-refresh": {
            "when": "before",
            "workers": 20,
            "service_time": {"kind": "lognormal", "mean": 0.05, "cv": 0.5},
            "share": 0.1,
            "cold": {"share": 0.5},
            "backlog": 1000,
            "timeout": 5.0,
        },
        # Placeholder: a look-up of the user and their rights in a database that all nodes share,
        # through a pool of ten connections.
        "auth-database": {
            "when": "before",
            "workers": 10,
            "service_time": {"kind": "lognormal", "mean": 0.02, "cv": 0.5},
            "shared": True,
            "backlog": 1000,
            "timeout": 5.0,
        },
        # Placeholder: ten channels per client, each of which a broker that all nodes share notes.
        "subscribe": {
            "when": "after",
            "workers": 4,
            "service_time": {"kind": "exponential", "mean": 0.0005},
            "per_connect": 10,
            "shared": True,
            "backlog": 20_000,
        },
        # Placeholder: a log of recent events, from which what a client missed is read in a row.
        "delta-sync": {
            "when": "delta",
            "workers": 10,
            "service_time": {"kind": "exponential", "mean": 0.002},
            "per_event": 0.00005,
            "shared": True,
            "backlog": 1000,
            "timeout": 10.0,
        },
        # Placeholder: the whole state of a client, item by item, from the database.
        "full-refresh": {
            "when": "full",
            "workers": 10,
            "service_time": {"kind": "lognormal", "mean": 0.02, "cv": 0.5},
            "per_item": 0.0005,
            "shared": True,
            "backlog": 1000,
            "timeout": 10.0,
        },
    }
)
"""Tables of `server.stages` by name; a stage is called after its shape unless it has a name."""
