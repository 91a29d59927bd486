"""The laws that hold in every state, each with the name it has when it is broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from increstore.protocol.ready import Ready


class LawBroken(Exception):
    """Something happened that must never happen: `law` is the id of what forbids it.

    `ready` is what the step that broke it came to, where there was one.
    """

    def __init__(self, law: str, says: str) -> None:
        self.law = LAW_BY_ID[law]
        self.says = says
        self.ready: Ready | None = None
        super().__init__(f"{law}: {says}")


@dataclass(frozen=True, slots=True)
class Law:
    """One law: its id and name (those of `judging`, where it is judged there too), and itself."""

    id: str
    name: str
    sentence: str

    @property
    def title(self) -> str:
        return f"{self.id} {self.name}"


LAWS = (
    Law("O1", "barrier", "an incremental begins only when every scan before it has succeeded"),
    Law("O2", "no-early-change", "no change is applied before every earlier scan has succeeded"),
    Law("O4", "no-gap-no-repeat", "incrementals begin in chain order, each once"),
    Law("O5", "no-gap-in-a-stream", "a target applies the batches of a stream without a gap"),
    Law("E1", "applied-once", "no batch of a stream is applied twice"),
    Law("E2", "one-number-one-batch", "an order is the same batch whenever it is sent"),
    Law("E3", "newest-attempt-only", "what comes late of an earlier attempt is not applied"),
    Law("C1", "completion-truth", "a success is reported when all of the scan is durable"),
    Law("C3", "silence-is-no-success", "a report is recorded as its source made it"),
    Law("C4", "first-report-wins", "of an attempt only the first report is recorded"),
    Law("C5", "complete-means-all", "an end is recorded when it is durable at every target"),
    Law("C7", "nothing-left-out", "the evidence of a success names all that the scan owes"),
    Law("S1", "this-generation", "a report made for another generation changes nothing"),
    Law("S2", "what-is-awaited", "a report of anything that is not awaited changes nothing"),
    Law("S4", "generations-rise", "a target remembers only ever higher generations"),
    Law("S5", "obeys-the-newest", "a target does nothing for a coordinator that was replaced"),
    Law("S6", "the-end-is-the-end", "nothing is recorded after the restore has ended"),
    Law("K2", "a-life-a-generation", "each life of the coordinator has a generation of its own"),
    Law("K3", "nothing-finished-is-redone", "a scan that has succeeded is not asked for again"),
    Law("D2", "never-ahead-of-the-disk", "a watermark that is told is durable"),
    Law("T2", "counts-and-digests-agree", "what is sealed is all that the backup has, once"),
    Law("T5", "nothing-after-the-end", "what is sealed or made final is not changed any more"),
    Law("T6", "visible-when-right", "what becomes visible is every batch of the chain, once"),
    Law("R1", "in-flight-cap", "no more scans are in flight than the cap allows"),
    Law("R2", "bounded-window", "no stream has more batches under way than its window"),
    Law("L7", "no-deadlock", "as long as the restore has not ended, something can happen"),
    Law("X1", "no-core-fails", "no core fails, whatever it is told and whenever it dies"),
    Law("X2", "passing-faults-pass", "faults that pass do not make a restore fail"),
    Law("X3", "the-end-stays-in-reach", "without more faults, an end is reachable from anywhere"),
)
"""Those with an X can be judged only by who sees everything that may happen."""

LAW_BY_ID = {law.id: law for law in LAWS}


def expect(condition: bool, law: str, says: str) -> None:
    """Raises: LawBroken unless the condition holds."""
    if not condition:
        raise LawBroken(law, says)
