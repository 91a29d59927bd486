"""The judge of a simulated run: every invariant, with the generated chain's model as oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.judging.judge import Judge

if TYPE_CHECKING:
    from increstore.simulation.setting import Setting


def make_judge(setting: Setting) -> Judge:
    """A judge for one run."""
    return Judge(setting.workload.topology, setting.judged)
