"""A result, on disk and off."""

import json
import sys

import numpy as np
import pytest

from server_stub.tables import TableWriter
from simulator.core.outcomes import NoticedBy, Outcome
from simulator.errors import InputError, RunDirectoryError, UnknownNameError
from simulator.raw_tables import RAW_TABLES
from simulator.results import SCHEMA_VERSION, TABLES
from simulator.run_directory import (
    begin_run,
    compared_runs,
    load_run,
    prepare_directory,
    save_run,
    write_json,
)
from simulator.table_files import read_streams


@pytest.fixture
def result(herd):
    """Two cohorts, an outage, somebody who gave up, a server with all its records."""
    run = herd(4, origin=1000.0, shares={"web": 0.5, "mobile": 0.5}).outage(2, 6, kind="crash")
    for client in range(4):
        run.loses(client, 2, noticed_at=2.5).tries(client, 3, Outcome.REFUSED)
    run.tries(0, 7).tries(1, 8).gives_up(2, 9).interval(7, arrivals=3).service(7, 0.01)
    return run.result(notes=["a note"], versions={"python": "3.11"}, kernel={"somaxconn": 4096})


@pytest.fixture
def cut(herd):
    """A path that was cut, noticed by going offline; one client's account is missing."""
    run = herd(2, operation_rate=1.0).outage(2, 6, kind="network").breaks(0, 2)
    run.notices(0, 4, NoticedBy.OFFLINE).tries(0, 7)
    return run.account(0, n_operations=5, synced_at=7.5).applied(0, 5, 1).result()


@pytest.fixture
def saved(result, tmp_path):
    """The directory of that run."""
    save_run(result, tmp_path / "run")
    return tmp_path / "run"


def streamed(run, directory, *, batch=3, process=0, **manifest):
    """Write a run as its processes would have, had they been killed before the end."""
    result = run.result()
    kept = result.manifest.model_copy(update=manifest)
    streams = begin_run(directory, manifest=kept, scenario=result.scenario)
    for name, schema in RAW_TABLES.items():
        columns = getattr(run.raw(), name)
        writer = TableWriter(schema, streams / f"{name}-{process}.arrows")
        for number, row in enumerate(zip(*columns.values(), strict=True)):
            writer.append(*(value.item() for value in row))
            if number % batch == batch - 1:
                writer.flush()
        writer.close()
    return streams


def same_tables(one, other):
    """Whether two results hold the same numbers, types included."""
    return all(
        one.table(table)[column.name].dtype == other.table(table)[column.name].dtype
        and np.array_equal(
            one.table(table)[column.name],
            other.table(table)[column.name],
            equal_nan=column.dtype.startswith("f"),
        )
        for table, schema in TABLES.items()
        for column in schema.columns
    )


def test_a_saved_run_loads_as_it_was(result, saved):
    """Tables, scenario and manifest."""
    loaded = load_run(str(saved))
    assert same_tables(loaded, result)
    assert loaded.scenario == result.scenario
    assert loaded.manifest == result.manifest.model_copy(update={"complete": True})


def test_a_run_without_rows_survives_too(herd, tmp_path):
    """No outage, no loss, no server."""
    result = herd(2).result()
    save_run(result, tmp_path)
    assert same_tables(load_run(tmp_path), result)


def test_the_same_result_is_saved_as_the_same_bytes(result, saved, tmp_path):
    """Nothing of the moment gets into the tables."""
    save_run(result, tmp_path / "again")
    for file in saved.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_nothing_temporary_is_left(saved):
    """Files appear whole, under their own names."""
    names = {file.name for file in saved.iterdir()}
    assert names == {"manifest.json", "scenario.toml", *(f"{name}.parquet" for name in TABLES)}


def test_parquet_holds_words_and_nulls(saved):
    """For whoever reads it without herd: codes are strings, NaN is null."""
    parquet = pytest.importorskip("pyarrow.parquet")
    attempts = parquet.read_table(saved / "attempts.parquet")
    assert attempts["outcome"].to_pylist()[-2:] == ["connected", "connected"]
    assert set(attempts["cohort"].to_pylist()) == {"web"}
    clients = parquet.read_table(saved / "clients.parquet")
    assert clients["gave_up_at"].to_pylist() == [None, None, 9.0, None]


def test_a_cut_path_and_missing_accounts_survive(cut, tmp_path):
    """Labels under their codes, unknown counts as null."""
    parquet = pytest.importorskip("pyarrow.parquet")
    save_run(cut, tmp_path / "cut")
    assert same_tables(load_run(tmp_path / "cut"), cut)
    words = {
        ("outages", "kind"): ["network"],
        ("disconnects", "cause"): ["network"],
        ("disconnects", "noticed_by"): ["offline"],
        ("clients", "synced_at"): [7.5, None],
        ("clients", "n_operations"): [5, None],
        ("clients", "n_operations_lost"): [0, None],
        ("clients", "n_operations_duplicated"): [1, None],
    }
    for (table, column), values in words.items():
        stored = parquet.read_table(tmp_path / "cut" / f"{table}.parquet")
        assert stored[column].to_pylist() == values


def test_data_frames_name_what_codes_mean(result):
    """As categories, which cost a byte each."""
    frame = result.to_pandas()
    assert list(frame["outcome"]) == ["connected"] * 4 + ["refused"] * 4 + ["connected"] * 2
    assert frame["outcome"].dtype == "category"
    assert list(result.to_pandas("disconnects")["cause"]) == ["crash"] * 4
    assert list(result.to_pandas("outages")["kind"]) == ["crash"]


def test_without_pandas_the_message_says_what_to_install(result, monkeypatch):
    """One line, not a traceback."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"pip install 'thundering-herd\[notebook\]'"):
        result.to_pandas()


def test_an_unknown_table_is_answered_with_the_nearest(result):
    """A typo is no KeyError."""
    with pytest.raises(UnknownNameError, match="did you mean 'attempts'"):
        result.to_pandas("attemps")


def test_a_killed_run_loads_from_its_streams(herd, tmp_path):
    """As if it had been saved."""
    run = herd(3, origin=77.0).outage(2, 6).loses(0, 2).loses(1, 2.5).tries(0, 7).gives_up(1, 8)
    run.interval(3, arrivals=1).service(4, 0.1).publishes(1, 3).applied(0, 2)
    run.account(0, n_operations=3, n_heard=1, epoch=1, event=1).account(2)
    streamed(run, tmp_path)
    assert same_tables(load_run(tmp_path), run.result())


def test_each_process_has_streams_of_its_own(herd, tmp_path):
    """All of them count."""
    streams = streamed(herd(2), tmp_path, process=0)
    streamed(herd(2), tmp_path, process=1)
    assert read_streams(streams, RAW_TABLES["attempts"])["client"].tolist() == [0, 1, 0, 1]


def test_a_stream_cut_off_anywhere_keeps_its_whole_batches(herd, tmp_path):
    """At every single byte, the first ones included."""
    streams = streamed(herd(7), tmp_path, batch=3)
    path = streams / "attempts-0.arrows"
    whole = path.read_bytes()
    kept = []
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        rows = read_streams(streams, RAW_TABLES["attempts"])
        assert rows["client"].tolist() == list(range(rows["client"].size))
        kept.append(rows["client"].size)
    assert sorted(set(kept)) == [0, 3, 6, 7]
    assert kept == sorted(kept)


def test_saving_drops_the_streams(herd, tmp_path):
    """The tables stand in their place."""
    streams = streamed(herd(2), tmp_path)
    save_run(load_run(tmp_path), tmp_path)
    assert not streams.exists()
    assert load_run(tmp_path).manifest.complete


def refusal(call, *arguments, **options):
    """The one line with which it is refused."""
    with pytest.raises(RunDirectoryError) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_directory_without_manifest_is_no_run(tmp_path):
    """Whether empty or not there."""
    assert f"{tmp_path}: not a run directory" in refusal(load_run, tmp_path)
    assert "not a run directory" in refusal(load_run, tmp_path / "nowhere")


def test_a_comparison_is_no_run_but_names_its_runs(tmp_path):
    """So that the next command is the right one."""
    write_json(tmp_path / "comparison.json", {"fixed": {}, "exponential": {}})
    assert "its runs are fixed, exponential" in refusal(load_run, tmp_path)
    assert compared_runs(tmp_path) == ("fixed", "exponential")
    assert "not a comparison" in refusal(compared_runs, tmp_path / "fixed")


def test_a_newer_schema_names_both_versions(saved):
    """And what to do about it."""
    manifest = json.loads((saved / "manifest.json").read_text())
    newer = SCHEMA_VERSION + 1
    write_json(saved / "manifest.json", {**manifest, "schema_version": newer})
    message = refusal(load_run, saved)
    assert f"version {newer}" in message
    assert f"newer than {SCHEMA_VERSION}" in message
    assert "manifest.json" in message


def test_fields_a_later_herd_has_added_pass_by(saved):
    """The contract adds and never renames."""
    manifest = json.loads((saved / "manifest.json").read_text())
    write_json(saved / "manifest.json", {**manifest, "weather": "fine"})
    assert load_run(saved).manifest.complete


@pytest.mark.parametrize("name", ["attempts.parquet", "outages.parquet", "manifest.json"])
@pytest.mark.parametrize("length", [0, 3, 50, -1])
def test_a_truncated_file_is_named(saved, name, length):
    """Wherever it was cut off."""
    path = saved / name
    path.write_bytes(path.read_bytes().rstrip()[:length])
    assert refusal(load_run, saved).startswith(f"{path}: truncated or corrupt")


@pytest.mark.parametrize("text", ["[", 'name = "x"', ""])
def test_a_damaged_scenario_is_named(saved, text):
    """Whether it is no TOML or no scenario."""
    path = saved / "scenario.toml"
    path.write_text(text)
    assert refusal(load_run, saved).startswith(str(path))


@pytest.mark.parametrize("text", ["[]", "{}", "null", '{"schema_version": 1}', '"x"'])
def test_a_manifest_that_is_none_is_named(saved, text):
    """JSON alone does not make a manifest."""
    path = saved / "manifest.json"
    path.write_text(text)
    assert refusal(load_run, saved).startswith(f"{path}: truncated or corrupt")


@pytest.mark.parametrize("name", ["attempts.parquet", "server.parquet", "scenario.toml"])
def test_a_missing_file_is_named(saved, name):
    """A complete run has all its tables."""
    (saved / name).unlink()
    assert refusal(load_run, saved) == f"{saved / name}: missing"


def test_another_table_under_the_name_is_damage(saved):
    """A column is missing."""
    (saved / "attempts.parquet").write_bytes((saved / "server.parquet").read_bytes())
    assert "attempts.parquet" in refusal(load_run, saved)


def test_a_new_directory_is_made(tmp_path):
    """With its parents; an empty one will do."""
    prepare_directory(tmp_path / "herd-runs" / "one")
    prepare_directory(tmp_path / "herd-runs" / "one")
    assert (tmp_path / "herd-runs" / "one").is_dir()


def test_an_earlier_run_is_only_replaced_by_force(saved):
    """And then wholly."""
    assert "--force" in refusal(prepare_directory, saved)
    assert (saved / "manifest.json").exists()
    prepare_directory(saved, force=True)
    assert list(saved.iterdir()) == []


def test_force_follows_a_link_and_keeps_it(saved, tmp_path):
    """As when the directory is on another disk."""
    link = tmp_path / "link"
    link.symlink_to(saved)
    prepare_directory(link, force=True)
    assert link.is_symlink()
    assert list(saved.iterdir()) == []


def test_an_earlier_comparison_is_replaced_by_force(tmp_path):
    """With the runs in it."""
    write_json(tmp_path / "comparison.json", {})
    assert "--force" in refusal(prepare_directory, tmp_path)
    prepare_directory(tmp_path, force=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("name", "text"), [("thesis.txt", "mine"), ("manifest.json", '{"name": "a web page\'s"}')]
)
def test_what_is_not_herds_is_left_alone(tmp_path, name, text, force):
    """Not even force replaces it."""
    (tmp_path / name).write_text(text)
    assert str(tmp_path) in refusal(prepare_directory, tmp_path, force=force)
    assert (tmp_path / name).read_text() == text


def test_a_file_in_the_way_is_left_alone(tmp_path):
    """A run directory is a directory."""
    (tmp_path / "file").write_text("mine")
    assert "cannot be created" in refusal(prepare_directory, tmp_path / "file", force=True)


def test_json_is_written_whole_or_not_at_all(tmp_path):
    """A number that JSON does not have leaves the old file standing."""
    path = tmp_path / "summary.json"
    write_json(path, {"floor": 10.0})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"floor": float("inf")})
    assert json.loads(path.read_text()) == {"floor": 10.0}
    assert list(tmp_path.iterdir()) == [path]
