"""A restore as every process that hosts a part of it sees it. Quick to import: no trio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from increstore.chain.plan import RestorePlan


@dataclass(frozen=True, slots=True)
class RestoreJob:
    """The plan, the restore's id, and the directory that gets the tables."""

    plan: RestorePlan
    restore: str
    target: Path
