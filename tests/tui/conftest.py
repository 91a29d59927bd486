"""Keys that a test presses are answered at once, and not after a few fiftieths of a second."""

from __future__ import annotations

import pytest
from textual import app as textual_app
from textual import pilot as textual_pilot

from tests.tui.settling import settled


@pytest.fixture(autouse=True, scope="session")
def _keys_are_answered_at_once():
    with pytest.MonkeyPatch.context() as patch:
        for module in (textual_app, textual_pilot):
            patch.setattr(module, "wait_for_idle", settled)
        yield
