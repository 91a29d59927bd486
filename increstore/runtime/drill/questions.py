"""The questions of nodes in worker processes, as lines to the parent, where the director is.

    worker -> parent   {"ask": [number, question, arguments]}
    parent -> worker   {"answer": [number, answer]}, {"release": hold}, {"reset": [node, node]}

One director for all processes: what is counted (`nth`, `times`) is counted once, and what a worker
has told before it asks is known when it is answered. A mark is told with number 0, which nobody
answers. What no fault of the run can concern is not asked.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from increstore.protocol.messages import ScanId
from increstore.scenario import faults as f
from increstore.scenario.actions import DiskFault, PageFault
from increstore.scenario.model import DiskSpec, NetworkSpec, NodesSpec, PagesSpec
from increstore.transport.codec import decode, encode
from increstore.transport.faulty import Treatment
from increstore.transport.mailbox import payload_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from increstore.protocol.messages import Message
    from increstore.runtime.drill.injector import DiskTrouble, Injector, PageTrouble
    from increstore.scenario.model import Scenario

MESSAGE, DISK, PAGE, POINT, MARK = "message", "disk", "page", "point", "mark"
QUESTIONS = (MESSAGE, DISK, PAGE, POINT)
"""All that faults can decide."""


@dataclass(slots=True)
class _Pending:
    answered: trio.Event = field(default_factory=trio.Event)
    answer: Any = None


class RemoteInjector:
    """Asks the parent by `say`; its answers come in by `hear`."""

    def __init__(self, say: Callable[[dict[str, Any]], None], asks: Collection[str]) -> None:
        self._say = say
        self._asks = frozenset(asks)  # Only ever asked for membership.
        self._number = 0
        self._pending: dict[int, _Pending] = {}

    def hear(self, number: int, answer: Any) -> None:
        """An answer; nobody may wait for it any more."""
        pending = self._pending.pop(number, None)
        if pending is not None:
            pending.answer = answer
            pending.answered.set()

    async def treatment(self, sender: str, receiver: str, message: Message) -> Treatment | None:
        if MESSAGE not in self._asks:
            return None
        header, payload = encode(sender, receiver, message)
        text = base64.b64encode(header).decode()
        answer = await self._ask(MESSAGE, text, payload_bytes(payload))
        if answer is None:
            return None
        copies, *rest = answer
        return Treatment(tuple(copies), *rest)

    async def disk_fault(self, node: str, operation: str) -> DiskTrouble | None:
        if DISK not in self._asks:
            return None
        answer = await self._ask(DISK, node, operation)
        return None if answer is None else DiskFault(*answer)

    async def page_fault(self, node: str, scan: ScanId, page: int) -> PageTrouble | None:
        if PAGE not in self._asks:
            return None
        answer = await self._ask(PAGE, node, scan.restore, scan.incremental, scan.source,
                                 scan.attempt, page)  # fmt: skip
        return None if answer is None else PageFault(*answer)

    async def crash_at(self, node: str, point: str, records: Sequence[str]) -> bool:
        """Of this process nothing is left when the answer would be yes."""
        if POINT in self._asks:
            await self._ask(POINT, node, point, list(records))
        return False

    def mark(self, name: str) -> None:
        self._say({"ask": [0, MARK, [name]]})

    async def _ask(self, question: str, *arguments: object) -> Any:
        self._number += 1
        pending = self._pending[self._number] = _Pending()
        self._say({"ask": [self._number, question, arguments]})
        await pending.answered.wait()
        return pending.answer


async def answer(injector: Injector, question: str, arguments: Sequence[Any]) -> Any:
    """What the parent's injector says to a worker's question, as plain values."""
    match question:
        case "message":
            return await _answer_message(injector, *arguments)
        case "disk":
            trouble = await injector.disk_fault(*arguments)
            return trouble and (trouble.action, trouble.by_ns, trouble.error, "")
        case "page":
            node, *scan, page = arguments
            found = await injector.page_fault(node, ScanId(*scan), page)
            return found and (found.transient, found.error, "", found.garbles)
        case "point":
            return await injector.crash_at(*arguments)
        case "mark":
            return injector.mark(*arguments)
        case _:
            raise AssertionError(f"a worker asked {question!r}")


async def _answer_message(injector: Injector, header: str, size: int | None) -> Any:
    payload = None if size is None else bytes(size)  # What is in it concerns no fault.
    found = await injector.treatment(*decode(base64.b64decode(header), payload))
    if found is None:
        return None
    return [found.copies, found.keeps_order, found.damage, found.reset, found.hold]


def questions_of(scenario: Scenario) -> list[str]:
    """What the faults and the weather of a settled scenario make worth asking."""
    faults, weather = scenario.faults, (scenario.network, scenario.disk)
    crashes = any(isinstance(fault, f.CrashFault) and fault.point for fault in faults)
    wanted = {
        MESSAGE: any(_is_of_messages(fault) for fault in faults) or weather[0] != NetworkSpec(),
        DISK: any(isinstance(fault, f.DiskFaultSpec) for fault in faults)
        or weather[1] != DiskSpec(),
        PAGE: any(isinstance(fault, f.PageFaultSpec) for fault in faults)
        or scenario.pages != PagesSpec(),
        POINT: crashes or scenario.nodes != NodesSpec(),
    }
    return [question for question, is_wanted in wanted.items() if is_wanted]


def _is_of_messages(fault: f.AnyFault) -> bool:
    if isinstance(fault, f.Reset):
        return fault.message is not None
    return isinstance(fault, f.MessageFault | f.LinkFault | f.Partition | f.Clog | f.Swizzle)
