"""What the compiled build compiles, and what its sources need before mypyc can do it well.

`setup.py` asks for it when INCRESTORE_COMPILED=1 is set; docs/PERFORMANCE.md tells how to build and
what it gains. The closed set of modules that a simulated event passes through is compiled: calls
between compiled and interpreted classes cost more than compiling a few modules gains.

A module is left as it is for one of these reasons:

| reason | modules |
|---|---|
| makes classes or functions while it runs | `protocol/frozen`, `plain_check`, `plain_code` |
| mypyc evaluates annotations that only a type checker imports | those with a `NamedTuple` or a dataclass of such fields: `simulation/history`, `model`, `run`, `setting`, `judging/catalogue`, `config` |
| answers to any name | `simulation/inject` (`Unjudged`) |
| runs once, or for people | the judges of a journal, `simulation/explore`, most of `scenario` |

Values marked `@frozen` would stay interpreted classes, as every class with a decorator of ours.
So they are written out: `__init__`, `__eq__`, `__hash__` and `__repr__` as plain methods, in a copy
of their module; and so are the functions that write values as plain lists. All other modules are compiled as they are, line by line.
"""  # noqa: E501 - a table is read as a table.

from __future__ import annotations

import ast
import shutil
import sys
from pathlib import Path

PACKAGES = ("protocol", "simulation", "judging")
MORE = (
    "scenario/actions.py", "scenario/director.py", "scenario/fates.py", "transport/codec.py",
)  # fmt: skip
LEFT_OUT = frozenset(
    {
        "protocol/frozen.py", "protocol/plain_check.py", "protocol/plain_code.py",
        "simulation/history.py", "simulation/inject.py", "simulation/model.py", "simulation/run.py",
        "simulation/setting.py",
        "judging/catalogue.py", "judging/config.py", "judging/from_journal.py",
        "judging/journal_lines.py", "judging/journal_player.py", "judging/journal_text.py",
        "judging/journal_words.py", "judging/page.py", "judging/planless.py",
    }
)  # fmt: skip
WRITTEN_OUT = (
    "protocol/messages.py", "protocol/ready.py", "protocol/records.py", "protocol/target_state.py",
    "simulation/workload.py",
)  # fmt: skip
"""Modules of values that are made, compared or looked at for every event."""

MYPY = """
[mypy]
ignore_missing_imports = True
disable_error_code = arg-type, attr-defined, type-var
"""
"""The sources as they are have been checked strictly; what is written out is no dataclass to mypy,
which would complain of `fields` and `replace`."""


def modules(package: Path) -> list[str]:
    """Paths of all modules to compile, relative to the folder of the package."""
    found = [
        path.relative_to(package).as_posix()
        for folder in PACKAGES
        for path in sorted((package / folder).glob("*.py"))
        if path.name != "__init__.py"
    ]
    return [name for name in (*found, *MORE) if name not in LEFT_OUT]


def write_sources(package: Path, into: Path) -> list[Path]:
    """Copy the package to `into`, with its values written out; the modules to compile."""
    shutil.rmtree(into, ignore_errors=True)
    copy = into / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in WRITTEN_OUT:
        source = (copy / name).read_text(encoding="utf-8")
        (copy / name).write_text(written_out(source), encoding="utf-8")
    with (copy / "protocol" / "plain.py").open("a", encoding="utf-8") as plain:
        plain.write(written_writers(package.parent))
    (into / "mypy.ini").write_text(MYPY, encoding="utf-8")
    return [copy / name for name in modules(package)]


def written_out(source: str) -> str:
    """The module with each frozen value as a plain class."""
    module = ast.parse(source)
    completed = []
    for cls in module.body:
        if isinstance(cls, ast.ClassDef) and _is_value(cls):
            completed.append(_completion(cls))
            _write_out(cls)
    imports = "from typing import final\nfrom increstore.protocol.frozen import complete\n"
    after_future = next(
        place for place, line in enumerate(module.body) if isinstance(line, ast.ImportFrom)
    )
    module.body[after_future + 1 : after_future + 1] = ast.parse(imports).body
    return ast.unparse(module) + "\n" + "".join(completed)


def written_writers(root: Path) -> str:
    """The writers of `protocol/plain`, which makes each when it is first needed, as functions."""
    sys.path.insert(0, str(root))
    from increstore.protocol.plain_check import CLASSES
    from increstore.protocol.plain_code import writer_source

    lines = []
    for name, cls in CLASSES.items():
        lines += [
            f"from {cls.__module__} import {name}",
            f"def _write_{name}(value: {name}) -> list[Any]:",
            f"    return {writer_source(cls)}",
            f"_WRITERS[{name}] = _write_{name}",
        ]
    return "\n".join(lines) + "\n"


def _is_value(cls: ast.ClassDef) -> bool:
    """Whether it is frozen, and no field makes its own default."""
    frozen = any(
        ast.unparse(decorator).startswith(("frozen", "dataclass(frozen=True, slots=True"))
        for decorator in cls.decorator_list
    )
    return frozen and not any(
        field.value is not None and "field(" in ast.unparse(field.value) for field in _fields(cls)
    )


def _fields(cls: ast.ClassDef) -> list[ast.AnnAssign]:
    return [line for line in cls.body if isinstance(line, ast.AnnAssign)]


def _names(cls: ast.ClassDef) -> list[str]:
    return [ast.unparse(field.target) for field in _fields(cls)]


def _completion(cls: ast.ClassDef) -> str:
    """The call that makes a frozen dataclass of the plain class."""
    types = tuple(ast.unparse(field.annotation) for field in _fields(cls))
    return f"complete({cls.name}, {tuple(_names(cls))!r}, {types!r})\n"


def _write_out(cls: ast.ClassDef) -> None:
    """Replace the decorator and the defaults by methods."""
    is_ordered = any("order=True" in ast.unparse(decorator) for decorator in cls.decorator_list)
    text = _methods(cls.name, _names(cls), [ast.unparse(field) for field in _fields(cls)])
    if is_ordered:
        text += _comparisons(cls.name, _names(cls))
    for field in _fields(cls):
        field.value = None
    cls.body += ast.parse(text).body
    cls.decorator_list = [ast.Name("final")]


def _methods(name: str, fields: list[str], parameters: list[str]) -> str:
    writes = [f"    self.{field} = {field}" for field in fields] or ["    pass"]
    equal = " and ".join(f"self.{field} == other.{field}" for field in fields) or "True"
    shown = ", ".join(f"{field}={{self.{field}!r}}" for field in fields)
    return "\n".join(
        [
            f"__slots__ = {tuple(fields)!r}",
            f"__match_args__ = {tuple(fields)!r}",
            f"def __init__({', '.join(['self', *parameters])}) -> None:",
            *writes,
            "def __eq__(self, other: object) -> bool:",
            f"    if not isinstance(other, {name}):",
            "        return NotImplemented",
            f"    return {equal}",
            "def __hash__(self) -> int:",
            f"    return hash({_tuple('self', fields)})",
            "def __repr__(self) -> str:",
            f"    return f'{name}({shown})'",
            "",
        ]
    )


def _comparisons(name: str, fields: list[str]) -> str:
    return "".join(
        f"def {method}(self, other: '{name}') -> bool:\n"
        f"    return {_tuple('self', fields)} {sign} {_tuple('other', fields)}\n"
        for method, sign in (("__lt__", "<"), ("__le__", "<="), ("__gt__", ">"), ("__ge__", ">="))
    )


def _tuple(owner: str, fields: list[str]) -> str:
    return "(" + "".join(f"{owner}.{field}, " for field in fields) + ")"
