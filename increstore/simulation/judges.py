"""The judge of a simulated run: every invariant, with the generated chain's model as oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from increstore.judging.config import JudgeConfig
from increstore.judging.judge import Judge

if TYPE_CHECKING:
    from increstore.simulation.setting import Setting


def make_judge(setting: Setting) -> Judge:
    """A judge for one run."""
    return Judge(
        setting.workload.topology,
        JudgeConfig.of(
            setting.config,
            setting.source_config,
            oracle=setting.workload.model,
            page_bytes_max=setting.page_bytes_max,
            progress_within_ns=setting.scenario.expect.within,
        ),
    )
