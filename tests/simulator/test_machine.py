"""What a machine can drive, and what it says when a scenario asks for more."""

import dataclasses
import resource

import pytest

from server_stub.config import ServerConfig
from server_stub.outage import Outage
from simulator.errors import MachineError
from simulator.machine import (
    Machine,
    descriptors_needed,
    inspect,
    prepare,
    prepare_clients,
    source_addresses,
)
from simulator.scenario import Scenario

MACHINE = Machine(
    kernel="6.8.0",
    n_cores=2,
    n_descriptors=1024,
    max_descriptors=20_000,
    first_port=32_768,
    last_port=60_999,
    somaxconn=4096,
    syn_linear_timeouts=4,
    abort_on_overflow=False,
    clock_resolution=1e-9,
)


def with_(**changes):
    """The same machine but for these."""
    return dataclasses.replace(MACHINE, **changes)


def herd(n_clients, *, outages=(), **server):
    """A scenario of that size."""
    config = ServerConfig(**server)
    return Scenario(n_clients=n_clients, horizon=10.0, server=config, outage=outages)


@pytest.fixture
def raised(monkeypatch):
    """The limits that were set, instead of setting them."""
    limits = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    return limits


@pytest.mark.parametrize(
    ("linear", "moments"),
    [
        (4, (1, 2, 3, 4, 5, 7, 11, 19)),
        (None, (1, 3, 7, 15, 31)),
        (0, (1, 3, 7, 15, 31)),
        (1, (1, 2, 4, 8, 16)),
    ],
)
def test_an_unanswered_syn_is_sent_again_as_the_kernel_does(linear, moments):
    """`tcp_syn_linear_timeouts` steps of a second, then doubling ones (RULES 8)."""
    assert with_(syn_linear_timeouts=linear).syn_retry_at == moments


@pytest.mark.parametrize(("n_cores", "n_workers"), [(1, 1), (2, 1), (8, 7)])
def test_one_core_is_the_servers(n_cores, n_workers):
    """The clients get the others, and share the only one."""
    assert with_(n_cores=n_cores).n_workers == n_workers


def test_the_server_needs_a_descriptor_for_everybody_and_for_who_is_in_its_queue():
    """Clients that have given up still stand there, beside their own next attempts."""
    one = descriptors_needed(herd(1000, workers=2, backlog=400), n_workers=1)
    assert one >= 1000 + 1000 + 2 + 400
    assert descriptors_needed(herd(1000, workers=2, backlog=900), n_workers=1) == one + 500


def test_more_workers_do_not_relieve_the_server():
    """The busiest process decides."""
    assert descriptors_needed(herd(5000), n_workers=8) == descriptors_needed(
        herd(5000), n_workers=1
    )


def test_a_small_fleet_dials_from_the_usual_address():
    """The kernel chooses."""
    assert source_addresses(1000, MACHINE) == (None,)


def test_a_large_fleet_dials_from_as_many_addresses_as_its_ports_need():
    """Each address has its own range of source ports; there are four for every client."""
    sources = source_addresses(20_000, MACHINE)
    assert len(sources) * MACHINE.n_ports >= 4 * 20_000
    assert len(set(sources)) == len(sources)
    assert all(source.startswith("127.0.") for source in sources)


def test_every_source_is_an_address_however_many_there_are():
    """No part of an address is 0 or 255."""
    sources = source_addresses(1_000_000, with_(first_port=60_000))
    assert len(set(sources)) == len(sources) > 2000
    assert all(1 <= int(part) <= 254 for source in sources for part in source.split(".")[2:])


def test_a_herd_that_fits_needs_nothing(raised):
    """No limit is touched."""
    assert prepare(herd(100), MACHINE, n_workers=1) == ()
    assert raised == []


def test_the_limit_on_descriptors_is_raised_as_far_as_needed(raised):
    """Without privileges it may go up to the hard limit, which stays."""
    scenario = herd(2000)
    prepare(scenario, MACHINE, n_workers=1)
    assert raised == [(descriptors_needed(scenario, n_workers=1), 20_000)]


def test_too_few_descriptors_are_one_clear_line(raised):
    """It names the field, the value, what is needed, what there is and what would fit."""
    with pytest.raises(MachineError) as caught:
        prepare(herd(50_000, workers=2, backlog=400), MACHINE, n_workers=1)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("n_clients = 50000: a process would need 51554 file descriptors")
    assert "this machine allows 20000" in message
    assert "ulimit -Hn" in message
    assert raised == []


FORGETS = Outage(kind="idle_timeout", starts_at=1.0, down_for=25.0, idle_for=10.0)


def test_connections_that_are_forgotten_keep_their_descriptors():
    """In 25 s of a middlebox that forgets after 10 s: three of a client at most."""
    plain, forgetful = herd(100), herd(100, outages=(FORGETS,))
    extra = descriptors_needed(forgetful, n_workers=1) - descriptors_needed(plain, n_workers=1)
    assert extra == 3 * 100


@pytest.mark.parametrize("max_descriptors", [2000, 20_000])
@pytest.mark.parametrize("outages", [(), (FORGETS,)])
def test_the_number_of_clients_that_is_suggested_is_the_most_that_fits(
    max_descriptors, outages, raised
):
    """Whoever follows the advice gets on, and one client more would be too many."""
    machine = with_(max_descriptors=max_descriptors)
    with pytest.raises(MachineError) as caught:
        prepare(herd(50_000, outages=outages), machine, n_workers=1)
    most = int(str(caught.value).split("at most ")[1].split()[0])
    prepare(herd(most, outages=outages), machine, n_workers=1)
    assert len(raised) == 1
    with pytest.raises(MachineError):
        prepare(herd(most + 1, outages=outages), machine, n_workers=1)


def test_a_backlog_that_the_kernel_cuts_short_is_remarked(raised):
    """The reader of the results should know."""
    (note,) = prepare(herd(100, listen_backlog=10_000), MACHINE, n_workers=1)
    assert "listen_backlog = 10000" in note
    assert "somaxconn = 4096" in note
    assert raised == []


def test_a_single_core_is_remarked(raised):
    """Clients and server share it."""
    (note,) = prepare(herd(100), with_(n_cores=1), n_workers=1)
    assert note.startswith("one core")
    assert raised == []


def test_this_machine_can_be_looked_at():
    """The settings of a manifest are plain values, and the limits make sense."""
    here = inspect()
    assert here.n_cores >= 1
    assert 0 < here.n_descriptors <= here.max_descriptors
    assert 0 < here.first_port < here.last_port < 65_536
    assert here.settings()["syn_retry_at"].startswith("1 ")


def test_the_clients_of_a_foreign_server_need_descriptors_for_themselves(raised):
    """Its own are its own affair."""
    assert prepare_clients(1000, MACHINE, n_workers=2, server="127.0.0.1") == (None,)
    assert raised == []
    with pytest.raises(MachineError, match="at most 39744 clients"):
        prepare_clients(50_000, MACHINE, n_workers=2, server="127.0.0.1")


@pytest.mark.parametrize("server", ["::1", "192.0.2.7"])
def test_only_ipv4_loopback_can_be_dialled_from_many_addresses(raised, server):
    """Elsewhere the source ports of one address are all there are."""
    assert len(prepare_clients(15_000, MACHINE, n_workers=2, server="127.0.0.1")) > 1
    with pytest.raises(MachineError, match=f"{server} cannot be dialled from several"):
        prepare_clients(15_000, MACHINE, n_workers=2, server=server)
