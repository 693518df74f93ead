"""Tables: a comparison in rows, and in one sentence."""

import pytest

from reports.conclusion import conclusion
from reports.tables import comparison_rows, comparison_table, marks, table_by_policy
from reports.wording import listed, per_second, percent, seconds, times
from simulator.metrics import summarise

QUICK = {
    "n_episodes": 1000,
    "recovered_share": 1.0,
    "time_to_recovery_p95": 15.0,
    "time_to_recovery_p99": 16.04,
    "floor": 10.0,
    "peak_attempt_rate_100ms": 1630.0,
    "peak_arrival_rate_up_1s": 190.0,
    "amplification": 4.575,
    "n_healthy_lost": 0,
    "binding_stage": "handshake",
    "wasted_share": 0.2301,
    "detection_time_p99": 0.2927,
    "generator_lag_p99": 0.02,
    "server_lag_p99": 0.01,
    "verdict": "ok",
    "stages": {"handshake": {}},
    "unmeasured": ["time_to_sync_p95", "n_events_missed", "n_full_refresh", "n_operations_lost"],
}
SLOW = {**QUICK, "time_to_recovery_p95": 25.0, "peak_arrival_rate_up_1s": 1000.0}
NEVER = {
    **QUICK,
    "recovered_share": 0.277,
    "time_to_recovery_p95": None,
    "time_to_recovery_p99": None,
    "peak_arrival_rate_up_1s": 950.0,
}
NO_OUTAGE = {
    **QUICK,
    "n_episodes": 3,
    "time_to_recovery_p95": None,
    "time_to_recovery_p99": None,
    "floor": None,
    "unmeasured": [
        *QUICK["unmeasured"],
        *("time_to_recovery_p95", "time_to_recovery_p99", "floor"),
    ],
}


class TestComparisonTable:
    """`comparison_table`."""

    def test_writes_metrics_for_people(self):
        """One column per policy; units; "never" for what did not happen."""
        table = comparison_table({"jitter": QUICK, "fixed": NEVER})
        assert table.headers == ("metric", "jitter", "fixed")
        assert table.rows == (
            ("clients back", "100 %", "28 %"),
            ("95 % back after", "15.0 s", "never"),
            ("99 % back after", "16.0 s", "never"),
            ("fastest possible", "10.0 s", "10.0 s"),
            ("peak attempts (100 ms)", "1,630/s", "1,630/s"),
            ("peak arrivals, server up (1 s)", "190/s", "950/s"),
            ("attempts per client", "4.6", "4.6"),
            ("service wasted", "23 %", "23 %"),
            ("loss noticed after (99 %)", "0.29 s", "0.29 s"),
            ("verdict", "ok", "ok"),
        )

    def test_tells_unmeasured_from_never(self):
        """A metric that could not be measured is not a bad one."""
        cells = dict(comparison_table({"fixed": NO_OUTAGE}).rows)
        assert cells["95 % back after"] == cells["fastest possible"] == "-"
        assert cells["attempts per client"] == "4.6"

    def test_counts_events_and_operations_where_some_run_has_them(self):
        """A row each for what any of the runs measured."""
        counts = {"n_events_missed": 12345, "n_operations_lost": 0, "time_to_sync_p95": 15.1}
        table = comparison_table(
            {
                "with": {**QUICK, **counts, "unmeasured": []} | {"n_full_refresh": 7},
                "without": QUICK,
            }
        )
        assert table.rows[-4:-1] == (
            ("events missed", "12,345", "-"),
            ("full refreshes", "7", "-"),
            ("operations lost", "0", "-"),
        )

    @pytest.mark.parametrize("outage", [True, False])
    def test_takes_what_summarise_gives(self, lockstep, outage):
        """Every metric it shows is in a real summary."""
        table = comparison_table({"fixed": summarise(lockstep(outage=outage))})
        assert all(len(row) == 2 and all(row) for row in table.rows)


class TestMarks:
    """`marks`."""

    def marked(self, **summaries):
        """The marks of each row that has any."""
        return {
            row.metric: found
            for row in comparison_rows(summaries)
            if any(found := marks(row, summaries))
        }

    def test_equals_share_a_mark(self):
        """Where all are alike there is none."""
        found = self.marked(a=QUICK, b=QUICK, c=SLOW)
        assert found["time_to_recovery_p95"] == ("best", "best", "worst")
        assert "amplification" not in found
        assert "verdict" not in found

    def test_who_does_not_recover_is_best_at_nothing(self):
        """However easy on the server."""
        gentle = {**NEVER, "peak_arrival_rate_up_1s": 1.0}
        found = self.marked(a=QUICK, b=SLOW, c=gentle)
        assert found["peak_arrival_rate_up_1s"] == ("best", "worst", "")
        assert found["recovered_share"] == ("best", "best", "worst")


class TestTableByPolicy:
    """`table_by_policy`."""

    def test_has_a_row_for_each_policy(self):
        """With the metrics in which they differ; the others are given apart."""
        table, same = table_by_policy({"jitter": QUICK, "late": SLOW, "fixed": NEVER})
        assert table.headers == (
            "policy",
            "clients back",
            "95 % back after",
            "99 % back after",
            "peak arrivals, server up (1 s)",
        )
        assert table.rows == (
            ("jitter", "100 %", "15.0 s", "16.0 s", "190/s"),
            ("late", "100 %", "25.0 s", "16.0 s", "1,000/s"),
            ("fixed", "28 %", "never", "never", "950/s"),
        )
        assert dict(same)["fastest possible"] == "10.0 s"
        assert dict(same)["verdict"] == "ok"

    def test_of_equals_has_nothing_but_their_names(self):
        """Everything is the same for all."""
        table, same = table_by_policy({"one": QUICK, "other": QUICK})
        assert table.rows == (("one",), ("other",))
        assert len(same) == len(comparison_table({"one": QUICK}).rows)


class TestConclusion:
    """`conclusion`."""

    def test_names_the_fastest_the_slower_and_those_that_never_recover(self):
        """Beside the floor, and with the ratio of the peaks."""
        assert conclusion({"fixed": NEVER, "plain": SLOW, "jitter": QUICK}) == (
            "jitter recovers fastest: 95 % of the clients are back 15.0 s after the outage "
            "(1.5 times the fastest possible), plain after 25.0 s; arrivals peak at 190/s with "
            "jitter and at 1,000/s with plain (5.3 times as many); fixed never recovers "
            "(28 % back)."
        )

    def test_says_if_only_one_recovers(self):
        """That is the finding, not that it is the fastest."""
        assert conclusion({"fixed": NEVER, "linear": NEVER, "jitter": QUICK}) == (
            "Only jitter lets the herd recover: 95 % of the clients are back 15.0 s after the "
            "outage (1.5 times the fastest possible); arrivals peak at 190/s with jitter and at "
            "950/s with fixed (5.0 times as many); fixed and linear never recover "
            "(28 % and 28 % back)."
        )

    def test_does_not_rank_what_is_level(self):
        """A tenth apart is no difference that one run each could show."""
        level = {**QUICK, "time_to_recovery_p95": 16.4}
        assert conclusion({"a": level, "b": QUICK, "c": SLOW}).startswith(
            "b and a recover about equally fast: 95 % of the clients are back 15.0 s after the "
            "outage (1.5 times the fastest possible), c after 25.0 s; "
        )

    def test_leaves_out_peaks_that_are_alike(self):
        """A peak is worth a word from half as high again."""
        alike = {**SLOW, "peak_arrival_rate_up_1s": 200.0}
        assert "peak" not in conclusion({"plain": alike, "jitter": QUICK})

    def test_says_that_nobody_recovers(self):
        """With how far each came back."""
        assert conclusion({"fixed": NEVER, "linear": {**NEVER, "recovered_share": 0.004}}) == (
            "No policy lets the herd recover: at the end of the observation 28 % are back with "
            "fixed and 0.4 % are back with linear."
        )

    def test_speaks_of_a_single_policy(self):
        """There is nothing to compare it with but the floor."""
        assert conclusion({"jitter": QUICK}) == (
            "With jitter the herd recovers: 95 % of the clients are back 15.0 s after the outage "
            "(1.5 times the fastest possible)."
        )
        assert conclusion({"fixed": NEVER}) == (
            "The herd does not recover: at the end of the observation 28 % are back with fixed."
        )

    def test_refuses_figures_that_a_busy_machine_blurred(self):
        """Whatever the numbers say, the sentence names who ran late and by how much."""
        strained = {**NEVER, "verdict": "strained", "generator_lag_p99": 0.134}
        saturated = {**SLOW, "verdict": "saturated", "server_lag_p99": 1.2}
        assert conclusion({"fixed": strained, "plain": saturated, "jitter": QUICK}) == (
            "These figures are not to be trusted, for they show the load generator's and the "
            "server stub's own limits rather than those of the policies: fixed is strained (load "
            "generator 0.13 s late) and plain is saturated (server stub 1.2 s late); try "
            "fewer clients or longer delays."
        )

    def test_has_nothing_to_say_without_losses_or_an_outage(self):
        """Neither an idle fleet nor a few strays make a recovery."""
        idle = {**NO_OUTAGE, "n_episodes": 0}
        assert conclusion({"fixed": idle}) == (
            "Nobody lost a connection, so there was no recovery to compare."
        )
        assert conclusion({"fixed": NO_OUTAGE}) == (
            "No outage ended within the observation, so there was no recovery to compare."
        )

    @pytest.mark.parametrize("outage", [True, False])
    def test_takes_what_summarise_gives(self, lockstep, outage):
        """A real summary makes one sentence."""
        sentence = conclusion({"fixed": summarise(lockstep(outage=outage))})
        assert sentence.endswith(".")
        assert "\n" not in sentence


class TestWording:
    """Numbers as people read them."""

    @pytest.mark.parametrize(
        ("share", "text"),
        [
            (0.0, "0 %"),
            (0.0001, "0.1 %"),
            (0.004, "0.4 %"),
            (0.5, "50 %"),
            (0.99, "99 %"),
            (0.99999, "99.9 %"),
            (1.0, "100 %"),
        ],
    )
    def test_percent_never_rounds_to_all_or_nothing(self, share, text):
        """100 % means everybody."""
        assert percent(share) == text

    def test_units_follow_numbers(self):
        """Seconds, rates, ratios and lists."""
        assert [seconds(0.0), seconds(0.134), seconds(1234.56)] == ["0.0 s", "0.13 s", "1,234.6 s"]
        assert [per_second(0.0), per_second(2.5), per_second(5730.0)] == ["0/s", "2.5/s", "5,730/s"]
        assert [times(1.56), times(52.4)] == ["1.6 times", "52 times"]
        assert [listed(["a"]), listed(["a", "b", "c"])] == ["a", "a, b and c"]
