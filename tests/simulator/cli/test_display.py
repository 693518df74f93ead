"""Progress in words, and when there is any."""

import pytest

from simulator.cli.display import Display, RateMeter, in_words
from simulator.progress import Progress


def progress(at, *, n_attempts=0):
    """A look at a run."""
    return Progress(at=at, until=30.0, n_clients=1000, n_connected=250, n_attempts=n_attempts)


def test_in_words():
    """While the fleet assembles there is no time left to tell; then there is."""
    assert in_words(progress(-1.0), 0.0) == "assembling, 250/1,000 connected"
    assert (
        in_words(progress(10.0), 1234.0)
        == "250/1,000 connected, 1,234 attempts/s, at most 20 s left"
    )


def test_rate():
    """The rate is that of the last window, and survives the moment at which t = 0 is named."""
    meter = RateMeter()
    assert meter.rate(progress(1.0, n_attempts=100)) == 0.0
    assert meter.rate(progress(1.1, n_attempts=150)) == 0.0
    assert meter.rate(progress(2.0, n_attempts=200)) == pytest.approx(100.0)
    assert meter.rate(progress(0.0, n_attempts=210)) == pytest.approx(100.0)
    assert meter.rate(progress(0.5, n_attempts=230)) == pytest.approx(40.0)


def test_silent_without_a_terminal(capsys):
    """Nothing is shown when stderr is no terminal."""
    with Display(quiet=False) as display:
        display.watcher("fixed")(progress(1.0))
        display.count("measuring", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_the_cue_comes_once_everybody_is_connected(capsys):
    """Whoever is to do something by hand is told when, also where no progress is shown."""
    with Display(quiet=False) as display:
        watch = display.watcher("fixed", announce="restart it now")
        watch(progress(-1.0))
        assert capsys.readouterr() == ("", "")
        watch(progress(0.0))
        watch(progress(0.1))
    assert capsys.readouterr() == ("", "herd: restart it now\n")


def test_no_cue_where_nobody_wants_to_hear(capsys):
    """With --quiet."""
    with Display(quiet=True) as display:
        display.watcher("fixed", announce="restart it now")(progress(0.0))
    assert capsys.readouterr() == ("", "")
