"""Whether what the sources say they sent is what a target has durably applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from increstore.protocol.messages import StreamEvidence
    from increstore.protocol.target_stream import TargetStream


def objection_to_seal(
    name: str,
    incremental: int,
    sent: Sequence[StreamEvidence],
    streams: Mapping[str, TargetStream],
) -> str | None:
    """The sentence that refuses the seal, naming the first source that differs; None to agree.

    A stream that nobody named but that has batches here is a difference too: a rescan sends the
    same batches to the same targets, so a scan that succeeded cannot have none.
    """
    where = f"{name}: incremental {incremental}"
    for claim in sent:
        stream = streams.get(claim.source)
        if stream is None:
            if claim.batches:
                return f"{where}: {claim.source}: expected {_told(claim)}, got nothing"
        elif stream.evidence != claim or stream.accepted != stream.watermark:
            got = _told(stream.evidence)
            unwritten = stream.accepted - stream.watermark
            more = f" and {unwritten} batches not written yet" if unwritten else ""
            return f"{where}: {claim.source}: expected {_told(claim)}, got {got}{more}"
    named = {claim.source for claim in sent}
    for source, stream in streams.items():
        if source not in named and stream.accepted:
            return f"{where}: {source}: expected nothing, got {_told(stream.evidence)}"
    return None


def _told(evidence: StreamEvidence) -> str:
    return (
        f"{evidence.rows} rows in {evidence.batches} batches of attempt {evidence.attempt} "
        f"(digest {evidence.digest:016x})"
    )
