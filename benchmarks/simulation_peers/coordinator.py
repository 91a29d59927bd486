"""The coordinator, as a node of the asyncio model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from model import COORDINATOR, GENERATION, REPEAT_S, RESTORE, Counts, Node, RestoreWrong, Shape


class Coordinator(Node):
    """Scans, then seals, incremental after incremental; then asks for the final rows."""

    def __init__(self, shape: Shape, counts: Counts, delay: Callable[[str], float]) -> None:
        super().__init__(COORDINATOR, shape, counts, delay)
        self.completed = self.loop.create_future()
        self.incremental = 0
        self._silent_since: dict[str, float] = {}
        self._question: Callable[[str], None] = self._start_scan
        self._owed: dict[str, list[list[Any]]] = {}
        self.hears = {
            "ScanProgress": self._progress,
            "CompletionNotification": self._scan_ended,
            "IncrementalSealed": self._sealed,
            "Finalized": self._finalized,
        }

    def begin(self) -> None:
        self._owed = {target: [] for target in self.shape.target_names}
        self._ask(self.shape.source_names, self._start_scan)
        self.sweep_in(REPEAT_S, self._repeat)

    def _ask(self, nodes: list[str], question: Callable[[str], None]) -> None:
        """Put a question to each of these nodes, until it has answered."""
        self._question = question
        self._silent_since = dict.fromkeys(nodes, self.loop.time())
        for node in nodes:
            question(node)

    def _repeat(self) -> None:
        now = self.loop.time()
        for node, since in self._silent_since.items():
            if now - since >= REPEAT_S:
                self._silent_since[node] = now
                self._question(node)
        self.sweep_in(REPEAT_S, self._repeat)

    def _start_scan(self, source: str) -> None:
        self.send(source, "StartScan", (RESTORE, self.incremental, source, 1), GENERATION)

    def _seal(self, target: str) -> None:
        sent = self._owed[target]
        self.send(target, "SealIncremental", RESTORE, self.incremental, GENERATION, sent)

    def _finalize(self, target: str) -> None:
        self.send(target, "Finalize", RESTORE, GENERATION)

    def _is_awaited(self, sender: str, scan: list[Any]) -> bool:
        restore, incremental, source, attempt = scan
        return (
            restore == RESTORE
            and source == sender
            and incremental == self.incremental
            and attempt == 1
            and sender in self._silent_since
            and self._question == self._start_scan
        )

    def _progress(self, sender: str, scan: list[Any], generation: int, *_: Any) -> None:
        if generation == GENERATION and self._is_awaited(sender, scan):
            self._silent_since[sender] = self.loop.time()

    def _scan_ended(
        self,
        sender: str,
        scan: list[Any],
        generation: int,
        status: str,
        rows: int,
        evidence: list[list[Any]],
        error: str,
    ) -> None:
        if generation != GENERATION or not self._is_awaited(sender, scan):
            return
        if status != "success" or rows != sum(sent[1] for sent in evidence):
            raise RestoreWrong(f"{sender}: {status}: {rows} rows: {error}")
        for target, *sent in evidence:
            self._owed[target].append([sender, 1, *sent])
        del self._silent_since[sender]
        if not self._silent_since:
            self._ask(self.shape.target_names, self._seal)

    def _sealed(
        self, sender: str, restore: str, incremental: int, generation: int, applied: list[Any]
    ) -> None:
        if incremental != self.incremental or sender not in self._silent_since:
            return
        if applied != self._owed[sender]:
            raise RestoreWrong(f"{sender} sealed {applied}, expected {self._owed[sender]}")
        del self._silent_since[sender]
        if self._silent_since:
            return
        if self.incremental == self.shape.incrementals:
            self._ask(self.shape.target_names, self._finalize)
            return
        self.incremental += 1
        self._owed = {target: [] for target in self.shape.target_names}
        self._ask(self.shape.source_names, self._start_scan)

    def _finalized(
        self, sender: str, restore: str, generation: int, rows: int, digest: int
    ) -> None:
        if self._question != self._finalize or sender not in self._silent_since:
            return
        if (rows, digest) != self.shape.rows_of(sender):
            raise RestoreWrong(f"{sender} has {rows} rows with digest {digest:016x}")
        del self._silent_since[sender]
        if not self._silent_since:
            self.stop_sweeping()
            self.completed.set_result(None)
