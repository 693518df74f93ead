"""The report: what it says, as HTML and as Markdown."""

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from reports.page.build import page_of
from reports.page.content import DataTable
from reports.page.html import as_html
from reports.page.markdown import as_markdown
from reports.page.pictures import picture_of
from simulator.metrics import summarise


@pytest.fixture
def figure():
    """A figure of two panels, with what is seen in them."""
    figure = Figure()
    figure.suptitle("Attempts: 20 clients")
    for ax, title in zip(figure.subplots(2), ["a: peak 1/s", "b\npeak 2/s"], strict=True):
        ax.set_title(title, loc="left")
    return figure


@pytest.fixture
def page_for(figure):
    """The page of some results; summaries changed on the way, by policy."""

    def make(results, **changes):
        summaries = {
            name: summarise(result) | changes.get(name, {}) for name, result in results.items()
        }
        pictures = {"recovery": picture_of("recovery", figure)}
        return page_of(results, summaries, pictures, directory=Path("out"))

    return make


def fact(page, term):
    """The first screen's answer to something."""
    return next(one for one in page.facts if one.term == term)


class TestFirstScreen:
    """What can be said without scrolling."""

    def test_names_the_policy_to_ship_and_why(self, page_for, pair):
        """With the numbers of the others."""
        page = page_for(pair)
        assert page.headline == "Ship exponential"
        assert page.reason == (
            "95 % of the clients are back 2.0 s after the outage, 1.0 times the fastest possible, "
            "and arrivals peak at 20/s; with fixed only 25 % come back."
        )
        assert page.tone == "good"

    def test_one_seed_is_one_seed(self, page_for, pair):
        """How little it proves is said, and how to find out more."""
        recovers = fact(page_for(pair), "Recovers")
        assert recovers.value == "in 1 of 1 seed"
        assert "21 % to 100 %" in recovers.detail
        assert recovers.command == "herd sweep lockstep --replications 20"

    def test_recovery_stands_beside_the_floor_and_the_peak_beside_the_capacity(
        self, page_for, pair
    ):
        """With the narrowest stage."""
        page = page_for(pair)
        assert "fastest possible is 2.0 s" in fact(page, "95 % are back after").detail
        peak = fact(page, "Peak against capacity")
        assert peak.value == "20/s on 10/s"
        assert "'handshake'" in peak.detail

    def test_no_verdict_no_decision(self, page_for, pair):
        """What a busy machine blurred is not ranked, and nothing in the table is marked."""
        page = page_for(pair, fixed={"verdict": "saturated", "generator_lag_p99": 0.4})
        assert page.headline.startswith("No decision")
        assert "fixed is saturated" in page.reason
        assert fact(page, "Can these figures be trusted?").value == "verdict: saturated"
        (table,) = page.sections[0].tables
        assert not any(cell.mark for row in table.rows for cell in row)

    def test_the_assumption_that_would_flip_it(self, page_for, lockstep):
        """Whether a server notices who has left, where that matters; else the capacity."""
        run = {"fixed": lockstep(manifest={"command": "herd run lockstep"})}
        assumed = fact(page_for(run, fixed={"wasted_share": 0.3}), "What could flip the answer")
        assert assumed.command == "herd run lockstep --set server.abandoned=skip"
        assumed = fact(page_for(run, fixed={"wasted_share": 0.0}), "What could flip the answer")
        assert assumed.command == "herd run lockstep --set server.service_time.mean=0.3"

    def test_says_how_to_get_the_same_again(self, page_for, lockstep):
        """The command on record; else the scenario beside the records."""
        known = {"fixed": lockstep(manifest={"command": "herd run lockstep --seed 1"})}
        assert page_for(known).commands == ("herd run lockstep --seed 1",)
        assert page_for({"fixed": lockstep()}).commands == (
            "herd run out/scenario.toml --engine virtual",
        )

    @pytest.mark.parametrize(
        "run",
        [
            {"outage": False},
            {"server": False},
            {"n_back": 0},
            {"n_lost": 1},
            {"manifest": {"interrupted": True}},
            {"manifest": {"target": "ws://localhost:1/"}},
            {"manifest": {"engine": "serve"}},
        ],
        ids=str,
    )
    def test_there_is_a_page_for_any_run(self, page_for, lockstep, run):
        """Even where there is little to say."""
        page = page_for({"fixed": lockstep(**run)})
        assert page.headline
        assert "nan" not in as_html(page).replace("data:", "").lower().split("base64")[0]
        assert as_markdown(page).startswith("# ")


class TestSections:
    """What stands below."""

    def test_best_and_worst_are_marked(self, page_for, pair):
        """By word, so that colour is not needed."""
        page = page_for(pair)
        html = as_html(page)
        assert '<td class="best">100 % <span class="mark">▲ best</span></td>' in html
        assert '<td class="worst">25 % <span class="mark">▼ worst</span></td>' in html

    def test_parts_have_tables_where_there_are_several(self, page_for, lockstep):
        """Cohorts and stages; a single outage is the whole run."""
        keys = [section.key for section in page_for({"one": lockstep(cohorts=("a", "b"))}).sections]
        assert keys == ["numbers", "findings", "figures", "cohorts", "methods"]

    def test_methods_are_the_engines_own(self, page_for, lockstep):
        """And name what it does not model."""
        text = {
            engine: as_markdown(page_for({"fixed": lockstep(manifest={"engine": engine})}))
            for engine in ("live", "virtual", "model")
        }
        assert "kernel sockets" in text["live"]
        assert "virtual clock" in text["virtual"]
        assert "over arrays" in text["model"]
        assert all("packet loss" in its for its in text.values())


class TestRenderers:
    """HTML and Markdown of one content."""

    def test_html_needs_nothing_else(self, page_for, pair):
        """No address but within the page or within itself."""
        html = as_html(page_for(pair))
        addresses = re.findall(r'(?:src|href)="([^"]*)"', html)
        assert addresses
        assert all(address.startswith(("data:", "#")) for address in addresses)
        assert "<script" not in html

    def test_names_are_no_markup(self, page_for, lockstep):
        """Whatever a policy is called."""
        page = page_for({"<script>|*": lockstep()})
        assert "<script" not in as_html(page)
        assert "\\<script>" in as_markdown(page)
        assert "| metric | \\<script>\\|\\* |" in as_markdown(page)

    def test_markdown_has_tables_and_links_to_figures(self, page_for, pair):
        """Every row of a table has as many cells as its header."""
        page = page_for(pair)
        text = as_markdown(page)
        assert "![Attempts: 20 clients. a: peak 1/s; b: peak 2/s](figures/recovery.png)" in text
        assert isinstance(page.sections[0].tables[0], DataTable)
        assert "| clients back | **100 %** (best) | **25 %** (worst) |" in text
        widths = [line.count("|") for line in text.splitlines() if line.startswith("| clients")]
        assert widths == [4]
