"""Faults as a file would have them, in one line."""

from __future__ import annotations

import re
import tomllib

from increstore.scenario.faults import FAULT_MODELS


def a_fault(text):
    """The fault of `kind="drop" message="StartScan"`: its keys one after the other."""
    raw = tomllib.loads(re.sub(r" (?=[a-z_]+=)", "\n", text))
    return FAULT_MODELS[raw["kind"]].model_validate(raw, context={"file": True})
