"""The format of scenario files as JSON Schema, for editors that complete and check while typing.

It knows shapes and words, not sense: that a fault begins before the heal only `load` can tell.
"""

from __future__ import annotations

import json
from typing import Any

from increstore.scenario.model import Scenario


def json_schema() -> dict[str, Any]:
    """The schema of one scenario file."""
    schema = Scenario.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "increstore scenario",
    }


def schema_text() -> str:
    """The schema as `docs/scenario.schema.json` holds it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
