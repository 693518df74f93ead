"""The report in a real browser: it opens from disk, asks for nothing, and anybody can read it."""

from itertools import pairwise

import pytest

from reports.drawing import comparison_figures
from reports.page.build import page_of
from reports.page.html import as_html
from reports.page.pictures import picture_of
from simulator.metrics import summarise

WIDE, NARROW = (1280, 900), (380, 800)

CONTRASTS = """
(() => {
  const light = c => {
    const [r, g, b] = c.map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const rgba = text => text.match(/[\\d.]+/g).map(Number);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const c = rgba(getComputedStyle(node).backgroundColor);
      if (c.length < 4 || c[3] === 1) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const worst = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own) continue;
    const [a, b] = [light(rgba(getComputedStyle(node).color).slice(0, 3)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    worst.push([ratio, node.tagName + '.' + node.className]);
  }
  return worst.sort((x, y) => x[0] - y[0])[0];
})()
"""
"""The text that stands out least from what is behind it, and by how much."""


@pytest.fixture(scope="module")
def report(lockstep, tmp_path_factory):
    """The report of a comparison of which one policy fails, with cohorts to make it long."""
    results = {
        "exponential": lockstep(policy="exponential", cohorts=("brave", "shy")),
        "fixed-with-a-name-that-is-long": lockstep(n_back=5, cohorts=("brave", "shy")),
    }
    summaries = {name: summarise(result) for name, result in results.items()}
    path = tmp_path_factory.mktemp("report") / "report.html"
    figures = comparison_figures(results)
    pictures = {name: picture_of(name, figure) for name, figure in figures.items()}
    page = page_of(results, summaries, pictures, directory=path.parent)
    path.write_text(as_html(page), encoding="utf-8")
    return path


@pytest.fixture(params=[(WIDE, False), (NARROW, True)], ids=["wide", "narrow-dark"])
def visit(request, browser, report):
    """The report in a window."""
    size, dark = request.param
    return browser.open(report, size=size, dark=dark)


def test_it_asks_for_nothing_and_complains_of_nothing(visit):
    """No request leaves the page, and the console stays empty."""
    assert visit.evaluate("document.title").startswith("Ship exponential")
    others = [url for url in visit.requests if not url.startswith("data:")]
    assert [url.split(":")[0] for url in others] == ["file"]
    assert visit.complaints == []


def test_it_fits_the_window(visit):
    """What is wider than the window scrolls in a box of its own."""
    assert visit.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


def test_the_answers_are_on_the_first_screen(browser, report):
    """On a wide window nobody has to scroll for the decision, the facts and the command."""
    visit = browser.open(report, size=(1280, 900))
    for what in ("h1", ".reason", "figure img", "dl > div:last-child .value", "pre"):
        assert (
            visit.evaluate(f"document.querySelector({what!r}).getBoundingClientRect().bottom") < 900
        )


def test_it_can_be_read_with_any_eyes(visit):
    """WCAG's contrast for text, in the light and in the dark."""
    ratio, where = visit.evaluate(CONTRASTS)
    assert ratio >= 4.5, where


def test_dark_windows_get_dark_pages(browser, report):
    """And figures keep a light ground, on which their colours were chosen."""
    grounds = [
        browser.open(report, dark=dark).evaluate(
            "[document.body, document.querySelector('figure img')].map("
            "node => getComputedStyle(node).backgroundColor)"
        )
        for dark in (False, True)
    ]
    assert grounds[0][0] != grounds[1][0]
    assert grounds[0][1] == grounds[1][1] == "rgb(255, 255, 255)"


def test_it_can_be_heard(visit):
    """Landmarks, headings in order, pictures with their finding, tables that are tables."""
    marks = "['header', 'main', 'nav', 'footer'].map(t => document.querySelectorAll(t).length)"
    assert visit.evaluate(marks) == [1, 1, 1, 1]
    levels = visit.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].map(node => Number(node.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    pictures = visit.evaluate(
        "[...document.images].map(image => [image.complete && image.naturalWidth, image.alt])"
    )
    assert len(pictures) >= 5
    assert all(width > 0 and "exponential" in alt for width, alt in pictures)
    assert visit.evaluate(
        "[...document.querySelectorAll('table')].every(table => table.caption"
        " && [...table.querySelectorAll('th')].every(th => ['row', 'col'].includes(th.scope)))"
    )


def test_it_can_be_printed(browser, report):
    """In full: some pages."""
    assert browser.open(report).printed().count(b"/Type /Page\n") >= 2
