"""Lines between a parent and its workers survive any cutting of the stream."""

from __future__ import annotations

import json

import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from increstore.runtime.processes import LineReader


@given(
    lines=st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3)),
    cuts=st.lists(st.integers(1, 40)),
)
async def test_lines_come_out_whole_wherever_the_stream_is_cut(lines, cuts):
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    sender, receiver = trio.testing.memory_stream_one_way_pair()
    for cut in cuts:
        await sender.send_all(data[:cut])
        data = data[cut:]
    await sender.send_all(data)
    await sender.aclose()

    reader = LineReader(receiver)
    seen = []
    while (line := await reader.next()) is not None:
        seen.append(line)

    assert seen == lines
