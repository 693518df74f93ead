"""What is no proper upgrade request is answered as HTTP says (RFC 6455, 4.2; RFC 9110, 15.5)."""

import pytest
import trio

from .frames import request

GOOD = {
    "as written in RFC 6455": request(),
    "token in another case": request(Upgrade="WebSocket", Connection="upgrade"),
    "tokens in lists": request(Upgrade="h2c, websocket", Connection="keep-alive, Upgrade"),
    "lists over several lines": request(Connection=["keep-alive", "Upgrade"]),
    "names in another case": request(without=["Host"], HOST="stub").replace(b"Sec-", b"sEC-"),
    "extensions and subprotocols": request(
        Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits, x-other",
        Sec_WebSocket_Protocol="chat, superchat",
    ),
    "a body of nothing": request(Content_Length="0"),
    "an absolute target": request("http://stub/echo"),
    "headers nobody knows": request(**{f"X-{number}": "x" * 100 for number in range(50)}),
}

BAD = {
    "bytes that are no text": (b"\x00\xff" * 100, 400),
    "a TLS greeting": (bytes.fromhex("16030100c8010000c40303") + b"\0" * 200, 400),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", 400),
    "nothing but line ends": (b"\r\n\r\n", 400),
    "a header without a name": (request().replace(b"Upgrade: w", b": w"), 400),
    "a folded start": (request().replace(b"Host", b" Host"), 400),
    "a null byte": (request(X="a\0b"), 400),
    "a target that is no ASCII": (request("/\xff"), 400),
    "two lengths": (request(Content_Length=["3", "4"]), 400),
    "HTTP/1.0": (request(line="GET /echo HTTP/1.0"), 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/3": (request(line="GET /echo HTTP/3.0"), 505),
    "no host": (request(without=["Host"]), 400),
    "two hosts": (request(Host=["stub", "other"]), 400),
    "no key": (request(without=["Sec-WebSocket-Key"]), 400),
    "an empty key": (request(Sec_WebSocket_Key=""), 400),
    "a short key": (request(Sec_WebSocket_Key="AAEC"), 400),
    "a long key": (request(Sec_WebSocket_Key="A" * 400), 400),
    "a key that is no base64": (request(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZ!=="), 400),
    "two keys": (request(Sec_WebSocket_Key=["dGhlIHNhbXBsZSBub25jZQ=="] * 2), 400),
    "a POST": (request(line="POST /echo HTTP/1.1"), 405),
    "a HEAD": (request(line="HEAD /echo HTTP/1.1"), 405),
    "a method nobody knows": (request(line="STAMPEDE /echo HTTP/1.1"), 405),
    "a body": (request(Content_Length="3") + b"abc", 413),
    "a body in chunks": (request(Transfer_Encoding="chunked") + b"1\r\na\r\n0\r\n\r\n", 413),
    "a plain GET": (b"GET / HTTP/1.1\r\nHost: stub\r\n\r\n", 426),
    "another upgrade": (request(Upgrade="h2c"), 426),
    "an upgrade that merely contains the word": (request(Upgrade="websockets"), 426),
    "no connection header": (request(without=["Connection"]), 426),
    "a connection header of another kind": (request(Connection="keep-alive"), 426),
    "no version": (request(without=["Sec-WebSocket-Version"]), 426),
    "an old version": (request(Sec_WebSocket_Version="8"), 426),
    "a later version": (request(Sec_WebSocket_Version="14"), 426),
    "two versions": (request(Sec_WebSocket_Version=["13", "8"]), 426),
    "a large header": (request(X="x" * 100_000), 431),
    "many headers": (request(**{f"X-{number}": "x" for number in range(5000)}), 431),
    "a large target": (request("/" + "x" * 20_000), 431),
    "a line without an end": (b"x" * 20_000, 431),
    "a transfer nobody knows": (request(Transfer_Encoding="carrier-pigeon"), 501),
}


@pytest.mark.parametrize("asked", GOOD.values(), ids=GOOD)
async def test_a_proper_request_is_accepted(autojump_clock, node, raw, asked):
    """With the token of RFC 6455, 1.3, for the key given there, and without any extension."""
    stub = await node()
    peer = await raw(stub, asked)
    await trio.sleep(2)
    assert peer.status == 101
    assert peer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert "sec-websocket-extensions" not in peer.headers
    assert stub.recorder.totals["malformed"] == 0


async def test_the_first_subprotocol_is_agreed_to(autojump_clock, node, raw):
    """Since a browser leaves if it offers some and none is."""
    stub = await node()
    peer = await raw(stub, request(Sec_WebSocket_Protocol="chat, superchat"))
    await trio.sleep(2)
    assert peer.headers["sec-websocket-protocol"] == "chat"


@pytest.mark.parametrize("n_pieces", [1, 700], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
async def test_whatever_else_is_turned_away(autojump_clock, node, raw, case, n_pieces):
    """At once, with a status and a reason; no client has arrived, and it can be counted."""
    sent, status = case
    stub = await node()
    head, rest = sent[: n_pieces - 1], sent[n_pieces - 1 :]
    peer = await raw(stub, *(bytes([byte]) for byte in head), rest)
    assert peer.status == status
    assert peer.headers["connection"] == "close"
    assert len(peer.head[1]) == int(peer.headers["content-length"]) > 1
    assert trio.current_time() == 0.0
    peer.stream.close()
    await trio.testing.wait_all_tasks_blocked()
    assert stub.recorder.totals["malformed"] == 1
    assert stub.recorder.totals["arrivals"] == 0


@pytest.mark.parametrize("early", [b"\x89\x80\0\0\0\0", request()], ids=["frame", "request"])
async def test_nothing_may_follow_before_the_answer(autojump_clock, node, raw, early):
    """A client waits for it (4.1); in one piece with the request it is the request that is bad."""
    stub = await node()
    assert (await raw(stub, request() + early)).status == 400
    assert stub.recorder.totals["arrivals"] == 0


@pytest.mark.parametrize(
    "case",
    [
        (request(line="POST /echo HTTP/1.1"), "allow", "GET"),
        (request(Sec_WebSocket_Version="8"), "sec-websocket-version", "13"),
        (request(without=["Sec-WebSocket-Version"]), "sec-websocket-version", "13"),
        (b"GET / HTTP/1.1\r\nHost: stub\r\n\r\n", "upgrade", "websocket"),
    ],
)
async def test_the_answer_says_what_would_do(autojump_clock, node, raw, case):
    """As RFC 6455, 4.4, and RFC 9110 ask for."""
    sent, name, value = case
    stub = await node()
    assert (await raw(stub, sent)).headers[name] == value


async def test_whoever_goes_on_sending_can_still_read_why(autojump_clock, node, raw):
    """The server reads on for a moment: a kernel's reset would overtake the answer."""
    stub = await node()
    peer = await raw(stub, request(line="POST /echo HTTP/1.1"))
    for _ in range(3):
        await trio.sleep(0.2)
        await peer.says(b"x" * 100_000)
    assert (peer.status, peer.end) == (405, ("eof", 0.0))
    await trio.sleep_until(0.99)
    await peer.stream.send_all(b"x")
    await trio.sleep_until(1.01)
    with pytest.raises(OSError, match=r"Broken pipe|reset"):
        await peer.stream.send_all(b"x")
