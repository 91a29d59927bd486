from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from increstore.errors import RemoteProtocolError
from increstore.transport.handshake import (
    STEP_BYTES_MAX,
    STEP_HEAD_BYTES,
    Handshake,
    Hello,
    Peer,
    Side,
    Step,
    decode_step_head,
    step_bytes,
)

TOKEN = b"secret"


def a_hello(host, incarnation=5, **versions):
    return Hello(host, incarnation, host.encode().ljust(16, b"n")[:16], **versions)


def a_pair(*, dialler=None, acceptor=None, tokens=(TOKEN, TOKEN), refusals=(None, None)):
    return (
        Handshake(Side.DIALLER, dialler or a_hello("w1"), tokens[0], lambda _: refusals[0]),
        Handshake(Side.ACCEPTOR, acceptor or a_hello("w2"), tokens[1], lambda _: refusals[1]),
    )


def steps_in(stream):
    while stream:
        kind, length = decode_step_head(stream[:STEP_HEAD_BYTES])
        body = stream[STEP_HEAD_BYTES : STEP_HEAD_BYTES + length]
        if len(body) < length:
            raise RemoteProtocolError("handshake: over a wire, this step would never end")
        yield kind, body
        stream = stream[STEP_HEAD_BYTES + length :]


def answer_all(handshake, steps):
    return b"".join(handshake.answer(kind, body) for kind, body in steps)


def shake(pair, change=lambda stream: stream):
    """Carry the steps to and fro until both are silent; what each ended with.

    `change` may tamper with what the dialler says. An error ends a side, after its farewell.
    """
    outcomes = [None, None]
    mail = [pair[1].opening(), change(pair[0].opening())]  # By receiver.
    while any(mail):
        for side in (0, 1):
            stream, mail[side] = mail[side], b""
            reply = b""
            try:
                for kind, body in steps_in(stream):
                    if outcomes[side] is None:
                        reply += pair[side].answer(kind, body)
            except RemoteProtocolError as error:
                outcomes[side] = str(error)
                reply += pair[side].farewell
            mail[1 - side] += change(reply) if side == 0 else reply
    return tuple(
        outcome or handshake.peer for outcome, handshake in zip(outcomes, pair, strict=True)
    )


def test_both_sides_learn_who_the_other_is():
    pair = a_pair(dialler=a_hello("w1", 7), acceptor=a_hello("w2", 8))
    assert shake(pair) == (Peer("w2", 8, 1), Peer("w1", 7, 1))


def test_the_highest_version_both_speak_is_used():
    pair = a_pair(
        dialler=a_hello("w1", version_min=1, version_max=3),
        acceptor=a_hello("w2", version_min=2, version_max=5),
    )
    assert [peer.version for peer in shake(pair)] == [3, 3]


def test_versions_that_do_not_meet_say_who_must_upgrade_on_both_sides():
    pair = a_pair(acceptor=a_hello("w2", version_min=4, version_max=6))
    why = "speaks protocol versions 1 to 1, the other 4 to 6; upgrade the one that speaks 1 to 1"
    for outcome in shake(pair):
        assert why in outcome


def test_a_wrong_token_is_named_on_both_sides():
    for outcome in shake(a_pair(tokens=(TOKEN, b"another"))):
        assert "wrong cluster token" in outcome


def test_the_token_never_travels():
    dialler, _ = pair = a_pair(tokens=(b"very-secret-token", b"very-secret-token"))
    said = [dialler.opening()]
    shake(pair, change=lambda stream: said.append(stream) or stream)
    assert b"very-secret-token" not in b"".join(said)


@pytest.mark.parametrize("refuser", [0, 1])
def test_a_host_that_is_not_wanted_hears_why(refuser):
    refusals = tuple(
        "host 'w9' is not part of this cluster" if n == refuser else None for n in (0, 1)
    )
    outcomes = shake(a_pair(refusals=refusals))
    assert outcomes[refuser] == "handshake: host 'w9' is not part of this cluster"
    assert "refused by the peer: handshake: host 'w9' is not" in outcomes[1 - refuser]


def test_a_peer_that_echoes_what_it_hears_is_not_let_in():
    """Its hello is ours, its proof is ours: but a proof names the side that gives it."""
    dialler, _ = a_pair()
    proof = answer_all(dialler, steps_in(dialler.opening()))
    with pytest.raises(RemoteProtocolError, match="wrong cluster token"):
        answer_all(dialler, steps_in(proof))


def test_a_recorded_handshake_cannot_be_played_again():
    recorded = []
    shake(a_pair(), change=lambda stream: recorded.append(stream) or stream)
    acceptor = a_pair(acceptor=Hello("w2", 5, b"another nonce..."))[1]
    with pytest.raises(RemoteProtocolError, match="wrong cluster token"):
        answer_all(acceptor, steps_in(b"".join(recorded)))


@given(data=st.data())
def test_no_changed_byte_of_a_handshake_passes(data):
    """Every byte of the hello and of the proof is bound by a proof."""
    place = data.draw(st.integers(0, 78))  # Of hello, proof and welcome, heads and all.
    flip = data.draw(st.integers(1, 255))
    position = 0

    def change(stream):
        nonlocal position
        changed = bytearray(stream)
        if position <= place < position + len(stream):
            changed[place - position] ^= flip
        position += len(stream)
        return bytes(changed)

    try:
        outcomes = shake(a_pair(), change)
    except RemoteProtocolError:
        return  # The head of a step was refused, before the handshake saw it.
    assert not isinstance(outcomes[1], Peer)


@pytest.mark.parametrize(
    "steps",
    [
        [(Step.PROOF, b"x" * 32)],
        [(Step.WELCOME, b"")],
        [(Step.HELLO, a_hello("w1").encode()), (Step.WELCOME, b"")],
        [(Step.HELLO, a_hello("w1").encode()), (Step.HELLO, a_hello("w1").encode())],
        [(Step.HELLO, b"")],
        [(Step.HELLO, b"GET / HTTP/1.1\r\n\r\n")],
        [(Step.HELLO, a_hello("w1").encode()[:20])],
        [(Step.HELLO, a_hello("w1").encode()[:-2])],
        [(Step.HELLO, a_hello("w1").encode() + b"\xff")],
        [(Step.HELLO, a_hello("w1").encode() + b"x" * 1100)],
        [(Step.REFUSED, b"\xff\xfe go away")],
    ],
)
def test_steps_out_of_order_or_shape_are_refused(steps):
    _, acceptor = a_pair()
    with pytest.raises(RemoteProtocolError, match=r"handshake|go away"):
        answer_all(acceptor, steps)
    assert acceptor.peer is None


@pytest.mark.parametrize(
    "head",
    [b"GET", b"\x00\x00\x00", b"\x09\x00\x01", b"\x01" + (STEP_BYTES_MAX + 1).to_bytes(2, "big")],
)
def test_what_is_no_step_is_refused_by_its_first_three_bytes(head):
    with pytest.raises(RemoteProtocolError, match="not an increstore peer"):
        decode_step_head(head)


def test_a_step_says_its_kind_and_length():
    assert decode_step_head(step_bytes(Step.PROOF, b"12345")[:STEP_HEAD_BYTES]) == (2, 5)
