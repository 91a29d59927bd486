"""The commands of one real run: the restore, and the same command again after each pause."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from increstore.errors import IncrestoreError, StorageCorrupted, StorageFailed
from increstore.protocol.coordinator import RestoreState
from increstore.protocol.topology import COORDINATOR
from increstore.runtime.drill.coordinator import Chair
from increstore.runtime.drill.memory import play_in_memory
from increstore.runtime.drill.tcp import play_over_tcp
from increstore.runtime.groups import first_expected
from increstore.runtime.prepare import prepare
from increstore.runtime.refusal import refusals_told

if TYPE_CHECKING:
    from increstore.runtime.drill.stage import Drill
    from increstore.runtime.prepare import Prepared
    from increstore.runtime.request import RestoreRequest

PAUSED = RestoreState.PAUSED.value
PLAYS = {"memory": play_in_memory, "tcp": play_over_tcp}


@dataclass(slots=True)
class Commands:
    """Gives the command, and gives it again while the scenario's patience lasts."""

    drill: Drill
    request: RestoreRequest
    state: str = "running"
    reason: str = ""
    chair: Chair | None = None
    """Where the coordinator of the last command sat."""
    refusal: IncrestoreError | None = None
    """Why it could not even begin, when it is refused."""
    _limit: trio.CancelScope = field(default_factory=trio.CancelScope)

    async def run(self, limit_s: float) -> bool:
        """Until the restore has ended, or has run for so long; whether it has ended.

        Starting the processes of the first command does not count: it says nothing of the restore.
        """
        with self._limit:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._set_limit, limit_s)
                await self._until_ended()
                nursery.cancel_scope.cancel()
        return not self._limit.cancelled_caught

    def stop(self, by: str) -> None:
        """Have it end now, as if its time were over; `by` says whose word that was."""
        if not self._limit.cancel_called:
            self.drill.journal.emit(COORDINATOR, "restore.interrupted", signal=by)
            self._limit.cancel()

    async def _set_limit(self, limit_s: float) -> None:
        await self.drill.conductor.begun.wait()
        self._limit.deadline = trio.current_time() + limit_s

    async def _until_ended(self) -> None:
        policy = self.drill.scenario.policy
        resumes_left = policy.resumes_max if policy.resume_after is not None else 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.drill.conductor.run)
            while await self._give() == PAUSED and resumes_left > 0:
                resumes_left -= 1
                assert policy.resume_after is not None
                await trio.sleep(policy.resume_after / 1e9)
            nursery.cancel_scope.cancel()

    def explain(self) -> str:
        """What the restore waits for."""
        return "the command has not begun" if self.chair is None else self.chair.explain()

    async def _give(self) -> str:
        self.state, self.reason = "running", ""
        try:
            with refusals_told(self.drill.journal):
                prepared = await trio.to_thread.run_sync(prepare, self.request)
        except IncrestoreError as error:
            self.state, self.reason, self.refusal = "refused", str(error), error
            return self.state
        with prepared.directory:
            prepared.log.close()  # Every life of the coordinator opens it for itself.
            self.state, self.reason = await self._play(prepared)
        return self.state

    async def _play(self, prepared: Prepared) -> tuple[str, str]:
        drill = self.drill
        older = drill.at_rest.older
        chair = self.chair = Chair(prepared, drill.coordinator, drill.source, drill.journal, older)
        try:
            await PLAYS[self.request.on](self.drill, chair)
        except BaseExceptionGroup as group:
            return _how_it_failed(first_expected(group))
        assert chair.core is not None
        if chair.core.state is RestoreState.COMPLETED:
            prepared.directory.require_in_place()
            await trio.to_thread.run_sync(prepared.directory.remove_working_files)
        return chair.core.state.value, chair.core.reason


def _how_it_failed(error: IncrestoreError) -> tuple[str, str]:
    """A command that ends with an error about storage may be given again; damage stays."""
    if isinstance(error, StorageFailed):
        return PAUSED, str(error)
    if isinstance(error, StorageCorrupted):
        return RestoreState.FAILED.value, f"storage corrupted: {error}"
    return RestoreState.FAILED.value, str(error)
