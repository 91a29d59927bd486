"""Whether the program that runs is the compiled build (docs/PERFORMANCE.md tells what that is)."""

from __future__ import annotations

from importlib.util import find_spec


def is_compiled() -> bool:
    """Whether the cores, and what simulates and judges them, are machine code in this process."""
    spec = find_spec("increstore.protocol.messages")
    return spec is not None and not str(spec.origin).endswith(".py")
