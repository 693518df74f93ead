"""Who is who, as far as a server can tell."""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_stub.guests import Answer, Ending, GuestBook, Unwatched
from server_stub.marks import Mark
from server_stub.wire import Identity


@dataclass
class Knock:
    """What a peer says of itself."""

    target: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    address: str = "10.0.0.1"


class Desk:
    """A guest book, and what it wrote."""

    def __init__(self, mark="query:client"):
        self.visits, self.departures = [], []
        self.book = GuestBook(
            Mark.parse(mark),
            visit=lambda *row: self.visits.append(row),
            departure=lambda *row: self.departures.append(row),
        )

    def arrives(self, mark=None, at=0.0, **said):
        """A peer knocks, with a query parameter or whatever else it says."""
        knock = Knock(**said) if mark is None else Knock(f"/?client={mark}")
        return self.book.arrives(knock, None, at)

    def connects(self, mark=None, at=0.0, **said):
        """It is let in."""
        who = self.arrives(mark, at, **said)
        self.book.answered(who, Answer.CONNECTED, at)
        return who

    def loses(self, who, at=1.0, ending=Ending.TOLD, code=1012):
        """Its connection ends."""
        self.book.ended(who, ending, code, at)


@pytest.mark.parametrize("text", ["query:client", "header:x-client", "address"])
def test_a_mark_is_read_and_written_alike(text):
    """Round trip."""
    assert str(Mark.parse(text)) == text


@pytest.mark.parametrize("text", ["", "query", "query:", "cookie:a", "address:1", "header:"])
def test_what_is_no_mark_is_refused(text):
    """With what is allowed."""
    with pytest.raises(ValueError, match="query:NAME"):
        Mark.parse(text)


@pytest.mark.parametrize(
    ("mark", "said", "found"),
    [
        ("query:id", Knock("/path?x=1&id=a%20b"), "a b"),
        ("query:id", Knock("/path?x=1"), None),
        ("query:id", Knock("//[::garbage?id=1"), "1"),
        ("header:X-Client", Knock(headers={"x-client": "7"}), "7"),
        ("header:X-Client", Knock(), None),
        ("address", Knock(address="::1"), "::1"),
        ("address", Knock(address=""), None),
    ],
)
def test_where_a_mark_is_found(mark, said, found):
    """In the query, in a header, or in where the peer comes from."""
    assert Mark.parse(mark).of(said) == found


def test_clients_are_numbered_by_their_first_arrival_and_known_again():
    """Each loss begins an episode; attempts count from 1 in each."""
    desk = Desk()
    first = desk.connects("a")
    other = desk.connects("b")
    desk.loses(first)
    refused = desk.arrives("a", 2.0)
    desk.book.answered(refused, Answer.REJECTED, 2.5)
    again = desk.connects("a", 3.0)
    assert (first, other) == (Identity(0, 0, 1), Identity(1, 0, 1))
    assert (refused, again) == (Identity(0, 1, 1), Identity(0, 1, 2))
    assert desk.book.n_clients == 2
    assert desk.book.tells_all_apart


def test_each_arrival_is_written_down_once_with_its_answer():
    """The first answer counts; a connection without one was reset before."""
    desk = Desk()
    left = desk.arrives("a", 1.0)
    desk.book.answered(left, Answer.LEFT, 1.5)
    desk.book.ended(left, Ending.RESET, 1006, 1.6)
    reset = desk.arrives("a", 2.0)
    desk.book.ended(reset, Ending.RESET, 1006, 2.5)
    assert desk.visits == [
        (0, 0, 1, 1.0, 1.5, Answer.LEFT),
        (0, 0, 2, 2.0, 2.5, Answer.RESET),
    ]
    assert desk.departures == []


def test_a_lost_connection_is_written_down_with_its_ending():
    """Under the episode that the connection had ended."""
    desk = Desk()
    desk.loses(desk.connects("a"), 4.0, Ending.CLOSED, 1000)
    assert desk.departures == [(0, 0, 4.0, Ending.CLOSED, 1000)]


def test_who_says_goodbye_is_not_expected_back_until_it_comes():
    """A loss is no goodbye."""
    desk = Desk()
    desk.loses(desk.connects("a"), ending=Ending.CLOSED)
    desk.loses(desk.connects("b"), ending=Ending.TOLD)
    assert desk.book.n_expected == 1
    desk.arrives("a")
    assert desk.book.n_expected == 2


def test_a_named_client_that_knocks_again_has_lost_its_old_connection():
    """Whatever the server still believes; the old one's end comes too late to count."""
    desk = Desk()
    old = desk.connects("a")
    new = desk.connects("a", 2.0)
    desk.loses(old, 3.0)
    assert new == Identity(0, 1, 1)
    assert desk.departures == [(0, 0, 2.0, Ending.EOF, 1006)]


def test_peers_without_a_mark_are_taken_for_whoever_is_away_longest():
    """So that as many are back as are back."""
    desk = Desk()
    one, two = desk.connects(), desk.connects()
    desk.loses(two, 1.0)
    desk.loses(one, 2.0)
    assert [desk.connects(at=3.0).client for _ in range(3)] == [two.client, one.client, 2]
    assert desk.book.n_unmarked == 5
    assert not desk.book.tells_all_apart


def test_a_failed_attempt_goes_to_the_end_of_the_line():
    """The next arrival is another of those that are away."""
    desk = Desk()
    one, two = desk.connects(), desk.connects()
    desk.loses(one)
    desk.loses(two)
    turned_away = desk.arrives()
    desk.book.answered(turned_away, Answer.REJECTED, 1.0)
    assert [desk.arrives().client for _ in range(2)] == [two.client, one.client]


def test_clients_behind_one_address_share_a_line_of_their_own():
    """And nobody is taken for a client of another address."""
    desk = Desk("address")
    near, far = desk.connects(address="10.0.0.1"), desk.connects(address="10.0.0.2")
    assert desk.book.tells_all_apart
    desk.loses(near)
    desk.loses(far)
    assert desk.connects(address="10.0.0.2").client == far.client
    assert desk.connects(address="10.0.0.2").client == 2
    assert not desk.book.tells_all_apart


@given(
    st.lists(st.tuples(st.sampled_from(["knock", "yes", "no", "end"]), st.integers(0, 9))),
    st.sampled_from(["query:client", "address"]),
)
def test_however_they_come_and_go_the_book_balances(events, mark):
    """Nobody is connected twice; per client, connections and departures take turns."""
    desk = Desk(mark)
    knocking, connected = [], []
    for event, pick in events:
        if event == "knock":
            knocking.append(desk.arrives(target=f"/?client={pick % 3}", address=str(pick % 2)))
        elif event in {"yes", "no"} and knocking:
            who = knocking.pop(pick % len(knocking))
            answer = Answer.CONNECTED if event == "yes" else Answer.REJECTED
            desk.book.answered(who, answer, 0.0)
            connected += [who] if event == "yes" else []
        elif event == "end" and connected:
            desk.loses(connected.pop(pick % len(connected)))
    made = Counter(row[0] for row in desk.visits if row[-1] is Answer.CONNECTED)
    lost = Counter(row[0] for row in desk.departures)
    assert all(made[client] - lost[client] in (0, 1) for client in made)
    if mark == "address":
        open_now = sum(made.values()) - sum(lost.values())
        assert open_now == len(connected)


def test_a_closed_book_names_those_who_wait_and_takes_no_more():
    """What comes after is the server's going, not the clients'."""
    desk = Desk()
    connected, waiting = desk.connects("a"), desk.arrives("b", 1.0)
    desk.book.close(2.0)
    desk.loses(connected)
    desk.book.answered(waiting, Answer.CONNECTED, 3.0)
    desk.arrives("c")
    assert desk.visits[1:] == [(1, 0, 1, 1.0, 2.0, Answer.PENDING)]
    assert desk.departures == []


def test_without_a_book_our_clients_are_who_they_say_and_others_are_counted():
    """As every engine of ours needs it."""
    unwatched = Unwatched()
    ours = Identity(7, 2, 3)
    assert unwatched.arrives(Knock(), ours, 0.0) == ours
    assert [unwatched.arrives(Knock(), None, 0.0).client for _ in range(2)] == [0, 1]
