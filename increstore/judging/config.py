"""What a judge must know of a restore beside its topology: the policies, and an oracle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from increstore.protocol.policy import CoordinatorConfig
    from increstore.protocol.source_shard import SourceConfig

_SECOND = 1_000_000_000


class Oracle(Protocol):
    """What the chain says, computed by other code than that of the product."""

    def rows_after(self, incremental: int) -> Mapping[str, Mapping[Any, Any]]:
        """By table, the rows by key once this incremental is applied."""
        ...

    def changes(self, table: str, incremental: int) -> int:
        """How many changes the incremental holds for the table."""
        ...


@dataclass(frozen=True, slots=True)
class JudgeConfig:
    """The bounds that are judged; times in nanoseconds. None: there is no such bound.

    `page_bytes_max` is the payload of the largest page; it is needed for the bound on memory,
    which is not judged without it. `progress_within_ns` is judged after `healed` only.
    """

    scans_in_flight: int = 32
    window_batches: int | None = 8
    pages_ahead: int = 2
    source_bytes_max: int | None = None
    page_bytes_max: int | None = None
    repeat_ns: int = _SECOND
    """Between two questions of the coordinator to a silent shard."""
    source_repeat_ns: int = _SECOND
    """Between two questions of a source to a silent target."""
    retries_max: int = 5
    backoff_ns: int = 2 * _SECOND
    backoff_max_ns: int = 8 * _SECOND
    overall_deadline_ns: int | None = None
    stage_deadline_ns: int | None = None
    progress_within_ns: int | None = None
    slack_ns: int = _SECOND
    """How far two clocks, or a decision and its sending, may be apart."""
    steps_at_once_max: int = 10_000
    """Steps of all nodes together without any time passing."""
    oracle: Oracle | None = None

    @property
    def bytes_held_max(self) -> int | None:
        """Payload that one source may hold; None when it is not judged."""
        if self.source_bytes_max is None or self.page_bytes_max is None:
            return None
        return self.source_bytes_max + self.pages_ahead * self.page_bytes_max

    @classmethod
    def of(
        cls,
        coordinator: CoordinatorConfig,
        source: SourceConfig | None = None,
        **more: Any,
    ) -> JudgeConfig:
        """The bounds that these policies promise; `more` are fields that no policy has."""
        if source is not None:
            more = {
                "window_batches": source.window_batches,
                "pages_ahead": source.pages_ahead,
                "source_bytes_max": source.bytes_max,
                "source_repeat_ns": min(source.repeat_ns, source.resend_ns),
                **more,
            }
        return cls(
            scans_in_flight=coordinator.scans_in_flight,
            repeat_ns=coordinator.repeat_ns,
            retries_max=coordinator.retries_max,
            backoff_ns=coordinator.backoff_ns,
            backoff_max_ns=coordinator.backoff_max_ns,
            overall_deadline_ns=coordinator.overall_deadline_ns,
            stage_deadline_ns=coordinator.stage_deadline_ns,
            **more,
        )
