"""Changing the code of one function while a bug is planted, and putting it back.

An edit names a text of the function and what to put in its place. The text must be there exactly
once: a refactoring that moves it makes the table fail loudly, instead of planting nothing.

The function object stays the same and only gets other code, so that every name that refers to it,
in a class, in a table of methods or in another module, runs what was planted.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType


class PlantError(Exception):
    """The bug cannot be planted: the product is no longer as the table says."""


@dataclass(frozen=True, slots=True)
class Edit:
    """In the function at `place` ("package.module:Class.method"), `put` instead of `find`."""

    place: str
    find: str
    put: str


@contextmanager
def planted(edits: Iterable[Edit]) -> Iterator[None]:
    """The edits hold inside the block; everything is as before when it ends.

    Raises: PlantError, with nothing changed.
    """
    sources: dict[str, str] = {}
    for edit in edits:
        source = sources.get(edit.place) or source_of(edit.place)
        sources[edit.place] = _edited(edit, source)
    changed = [(function_at(place), _code(place, source)) for place, source in sources.items()]
    originals = [(function, function.__code__) for function, _ in changed]
    try:
        for function, code in changed:
            function.__code__ = code
        yield
    finally:
        for function, code in originals:
            function.__code__ = code


def function_at(place: str) -> FunctionType:
    """The function, or the one inside a property or decorator. Raises: PlantError."""
    module_name, _, path = place.partition(":")
    try:
        found = importlib.import_module(module_name)
        for name in path.split("."):
            # Not getattr: a class would hand out what it wraps, or what it inherits.
            found = vars(found)[name]
    except (ImportError, KeyError) as error:
        raise PlantError(f"{place}: there is no such function ({error})") from error
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    found = inspect.unwrap(found)
    if not isinstance(found, FunctionType):
        raise PlantError(f"{place}: it is a {type(found).__name__}; expected a function")
    return found


def source_of(place: str) -> str:
    """The text of the function, its first line at the margin."""
    return textwrap.dedent(inspect.getsource(function_at(place)))


def _edited(edit: Edit, source: str) -> str:
    times = source.count(edit.find)
    if times != 1:
        raise PlantError(
            f"{edit.place}: the text to replace is there {times} times, expected once; the "
            f"function has changed, so look again how to plant this:\n{edit.find}"
        )
    return source.replace(edit.find, edit.put)


def _code(place: str, source: str) -> CodeType:
    """What the edited source compiles to, with the globals of its own module."""
    function = function_at(place)
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise PlantError(f"{place}: what is planted is no Python: {error}\n{source}") from error
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef), place
    definition.decorator_list = []
    # `super()` without arguments finds its class in a cell, as it does inside a class.
    factory = ast.parse("def plant(__class__): return None").body[0]
    assert isinstance(factory, ast.FunctionDef)
    factory.body = [definition, ast.Return(ast.Name(definition.name, ast.Load()))]
    tree.body = [factory]
    ast.fix_missing_locations(tree)
    # Annotations stay text: `compile` goes by the `__future__` of this module.
    compiled = compile(tree, f"<planted in {place}>", "exec")
    scope: dict[str, FunctionType] = {}
    exec(compiled, function.__globals__, scope)
    code = scope["plant"](None).__code__
    if code.co_freevars != function.__code__.co_freevars:
        raise PlantError(f"{place}: what is planted changes whether super() is used")
    return code
