"""What `herd serve` does once its options are read."""

import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import typer

from server_stub.marks import Mark
from server_stub.outage import Outage
from simulator.cli.checks import Check, parse_check
from simulator.cli.options import AskedToServe, changes_of
from simulator.cli.output import INTERRUPTED, interruption_told, settle
from simulator.cli.printing import complain, print_json
from simulator.cli.publishing import publish_run
from simulator.cli.request import Mistakes, check_junit, refuse_empty_junit
from simulator.cli.running import print_run
from simulator.errors import InputError
from simulator.experiment import new_directory
from simulator.metrics import summarise
from simulator.rehearsal import rehearse
from simulator.scenario import Scenario
from simulator.scenario_files import DEFAULT, load_scenario
from simulator.server_view import UNSEEN, without_herd
from simulator.serving.ports import http_is_installed, http_missing
from simulator.serving.session import Served
from simulator.serving.session import serve as conduct
from simulator.serving.terms import PORT, Certificate, Terms

_OF_THE_HERD = frozenset(
    {"n_clients", "grace", "ramp_rate", "transport", "outbox", "client", "cohort"}
    | {"compare", "objective"}
)
"""Fields of a scenario that a server alone has no use for."""
_LABEL = "clients"
"""Of whom the conditions are, in their outcomes."""
_LAST_PORT = 65535


def serve(asked: AskedToServe) -> None:
    """Serve a scenario, then show what was seen.

    Raises:
        InputError: The options, the scenario or the machine do not allow it; or nobody came.
        typer.Exit: With the exit code, when that is not 0.
    """
    scenario, terms, checks = _prepare(asked)
    directory = asked.out or new_directory(scenario, "serve")
    tell = partial(typer.echo, err=asked.json)
    if not (asked.json and asked.quiet):
        _remark(asked, terms, tell)
    with interruption_told(directory):
        served = conduct(
            scenario,
            terms=terms,
            out=directory,
            force=asked.force,
            tell=_nobody if asked.json and asked.quiet else tell,
            report=_nobody if asked.quiet or not sys.stderr.isatty() else _on_stderr,
        )
        publish_run(served.result, directory)
    summary = summarise(served.result)
    if asked.json:
        print_json(summary)
    else:
        typer.echo()
        print_run(served.result, directory)
    _remark_on_names(served, terms)
    if served.stopped_by_signal:
        raise typer.Exit(INTERRUPTED)
    settle(
        checks,
        {_LABEL: summary},
        junit=asked.junit,
        suite=f"herd.{scenario.name}",
        strict=asked.strict,
    )


def _nobody(line: str) -> None:
    """Tell nobody."""


def _on_stderr(line: str) -> None:
    typer.echo(line, err=True)


def _prepare(asked: AskedToServe) -> tuple[Scenario, Terms, Sequence[Check]]:
    """The scenario, the terms, and what the storm is held to.

    Raises:
        InputError: With every mistake, a line for each.
    """
    mistakes = Mistakes()
    scenario = mistakes.caught(
        partial(
            load_scenario,
            asked.scenario or DEFAULT,
            changes=changes_of(asked.changes, seed=asked.seed),
        )
    )
    for mistake in (_check_changes, _check_http, _check_numbers):
        mistakes.caught(partial(mistake, asked))
    mistakes.caught(partial(check_junit, asked.junit))
    if asked.junit is not None and not asked.fail_if:
        mistakes.caught(partial(refuse_empty_junit, asked.junit))
    parsed = [mistakes.caught(partial(parse_check, text)) for text in asked.fail_if or ()]
    checks = [check for check in parsed if check is not None]
    if checks and scenario is not None:
        rehearsal = _seen_by_server(rehearse(_with_trouble(without_herd(scenario))))
        for check in checks:
            mistakes.caught(partial(check.verify, (_LABEL,), rehearsal))
    mark = mistakes.caught(partial(_mark, asked.client_id))
    tls = mistakes.caught(partial(_tls, asked))
    mistakes.raise_any()
    if scenario is None or mark is None or tls is None:
        raise RuntimeError("something is missing, yet nothing is wrong")
    terms = Terms(
        host=asked.host,
        port=(scenario.server.port or PORT) if asked.port is None else asked.port,
        http_port=_http_port(asked),
        mark=mark,
        begin_after=asked.begin_after,
        run_for=asked.run_for,
        tls=tls,
        token=asked.token,
    )
    if terms.needs_token and terms.token is None:
        terms = replace(terms, token=secrets.token_urlsafe())
    return scenario, terms, checks


def _seen_by_server(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    """A summary without what only a herd of ours can tell."""
    unseen = set(UNSEEN) - set(summary["unmeasured"])
    return {
        **summary,
        **{name: None for name in unseen if "." not in name},
        "unmeasured": [*summary["unmeasured"], *sorted(unseen)],
    }


def _with_trouble(scenario: Scenario) -> Scenario:
    """The same with an outage, which may be ordered even where none is scheduled."""
    outage = scenario.outage or (Outage(starts_at=1.0, down_for=1.0),)
    return scenario.model_copy(update={"outage": outage})


def _check_changes(asked: AskedToServe) -> None:
    for change in asked.changes or ():
        field = change.partition("=")[0].strip()
        if field.split(".")[0] in _OF_THE_HERD:
            raise InputError(
                f"--set {field}: is about a herd, and herd serve starts none; allowed: name, seed, "
                "horizon, settle, and the fields of server and outage"
            )


def _check_http(asked: AskedToServe) -> None:
    if asked.no_http and asked.http_port is not None:
        raise InputError(f"--http-port = {asked.http_port}: contradicts --no-http")
    if asked.no_http and asked.token is not None:
        raise InputError("--token: is for orders over HTTP, which --no-http switches off")
    if asked.http_port is not None and not http_is_installed():
        raise InputError(f"--http-port = {asked.http_port}: {http_missing()}")


def _check_numbers(asked: AskedToServe) -> None:
    for option, port in (("--port", asked.port), ("--http-port", asked.http_port)):
        if port is not None and not 0 <= port <= _LAST_PORT:
            raise InputError(f"{option} = {port}: allowed: 0 to {_LAST_PORT}")
    if asked.begin_after < 0:
        raise InputError(f"--begin-after = {asked.begin_after}: allowed: a number of clients, or 0")
    if asked.run_for is not None and not 0 < asked.run_for < float("inf"):
        raise InputError(f"--for = {asked.run_for:g}: allowed: seconds, more than 0")


def _http_port(asked: AskedToServe) -> int | None:
    if asked.no_http or not http_is_installed():
        return None
    return asked.http_port or 0


def _mark(text: str) -> Mark:
    try:
        return Mark.parse(text)
    except ValueError as error:
        raise InputError(f"--client-id = {text}: {error}") from None


def _tls(asked: AskedToServe) -> Certificate | bool:
    if (asked.cert is None) is not (asked.key is None):
        raise InputError("--cert and --key: need each other")
    if asked.cert is None or asked.key is None:
        return asked.tls
    if asked.tls:
        raise InputError("--tls: makes a certificate, but --cert gives one; allowed: one of them")
    return Certificate(chain=asked.cert, key=asked.key)


def _remark(asked: AskedToServe, terms: Terms, tell: Callable[[str], None]) -> None:
    if terms.http_port is None and not asked.no_http:
        tell(f"no HTTP (health, metrics, orders): it {http_missing()}")


def _remark_on_names(served: Served, terms: Terms) -> None:
    """How sure it is which client was which."""
    if "reconnect_time_p50" in served.result.manifest.unmeasured:
        complain(
            f"{served.n_unmarked:,} arrivals did not say who they were ({terms.mark}): each was "
            "taken for whoever was away longest, so how many were back is right, but not who"
            if served.n_unmarked
            else "clients share an address: how many were back is right, but not who"
        )
