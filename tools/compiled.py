"""What the compiled build compiles, and what its sources need before mypyc can do it well.

`setup.py` asks for it when INCRESTORE_COMPILED=1 is set; docs/PERFORMANCE.md tells how to build and
what it gains. The closed set of modules that a simulated event passes through is compiled: calls
between compiled and interpreted classes cost more than compiling a few modules gains.

A module is left as it is for one of these reasons:

| reason | modules |
|---|---|
| makes classes or functions while it runs | `protocol/frozen`, `plain_check`, `plain_code` |
| mypyc evaluates annotations that only a type checker imports | those with a `NamedTuple` or a dataclass of such fields: `simulation/history`, `model`, `run`, `setting`, `judging/catalogue`, `config` |
| runs once, or for people | the judges of a journal, `simulation/explore`, most of `scenario` |

All are compiled from a copy, which says the same in words that become quicker code:

- Values marked `@frozen` would stay interpreted classes, as every class with a decorator of ours. They
  are written out: `__init__`, `__eq__`, `__hash__` and `__repr__` as plain methods. So are the functions
  that write values as plain lists.
- A method with a decorator is called by reference, and each number made an object for it. So laws are
  marked at the end of their module, and all laws of one observation are written as one call.
- Constants are final, as otherwise they are looked up by name each time.
- `simulation/timeline` is `timeline_compiled`, with a heap of its own: Python's calls to compare.
"""  # noqa: E501 - a table is read as a table.

from __future__ import annotations

import ast
import inspect
import re
import shutil
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("protocol", "simulation", "judging")
MORE = (
    "scenario/actions.py", "scenario/director.py", "scenario/fates.py", "transport/codec.py",
)  # fmt: skip
LEFT_OUT = frozenset(
    {
        "protocol/frozen.py", "protocol/plain_check.py", "protocol/plain_code.py",
        "simulation/history.py", "simulation/model.py", "simulation/run.py",
        "simulation/setting.py", "simulation/timeline_compiled.py",
        "judging/catalogue.py", "judging/config.py", "judging/from_journal.py",
        "judging/journal_lines.py", "judging/journal_player.py", "judging/journal_text.py",
        "judging/journal_words.py", "judging/page.py", "judging/planless.py",
    }
)  # fmt: skip
IN_PLACE_OF = {"simulation/timeline.py": "simulation/timeline_compiled.py"}
"""Modules of which there is another one that compiles to quicker code."""
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
    for name, better in IN_PLACE_OF.items():
        (copy / better).replace(copy / name)
    for name in WRITTEN_OUT:
        source = (copy / name).read_text(encoding="utf-8")
        (copy / name).write_text(written_out(source), encoding="utf-8")
    sys.path.insert(0, str(package.parent))
    for name in modules(package):
        source = (copy / name).read_text(encoding="utf-8")
        (copy / name).write_text(made_final(undecorated(source)), encoding="utf-8")
    _append(copy / "protocol" / "plain.py", written_writers())
    _append(copy / "judging" / "chains.py", written_chains())
    (into / "mypy.ini").write_text(MYPY, encoding="utf-8")
    return [copy / name for name in modules(package)]


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as module:
        module.write(text)


def written_out(source: str) -> str:
    """The module with each frozen value as a plain class."""
    module = ast.parse(source)
    completed = []
    for cls in module.body:
        if isinstance(cls, ast.ClassDef) and _is_value(cls):
            completed.append(_completion(cls))
            _write_out(cls)
    after_future = next(
        place for place, line in enumerate(module.body) if isinstance(line, ast.ImportFrom)
    )
    module.body[after_future + 1 : after_future + 1] = ast.parse(_VALUE_IMPORTS).body
    return ast.unparse(module) + "\n" + "".join(completed)


# mypy_extensions comes with mypy; once it is compiled, nobody asks for it any more.
_VALUE_IMPORTS = """
from typing import final
from increstore.protocol.frozen import complete
try:
    from mypy_extensions import mypyc_attr
except ImportError:
    pass
"""


def made_final(source: str) -> str:
    """The module with its constants marked as such, so that nobody looks them up by name."""
    for maker, cls in re.findall(r"^(\w+) = maker_of\((\w+)\)$", source, re.MULTILINE):
        source = re.sub(rf"\b{maker}\(", f"{cls}(", source)  # It is quick by itself.
    name = "^(_?[A-Z][A-Z0-9_]+)"
    source = re.sub(rf"{name} = ", r"\1: Final = ", source, flags=re.MULTILINE)
    source = re.sub(rf"{name}: (?!Final)(.+?) = ", r"\1: Final[\2] = ", source, flags=re.MULTILINE)
    first = "from __future__ import annotations"
    return source.replace(f"{first}\n", f"{first}; from typing import Final\n", 1)


def undecorated(source: str) -> str:
    """The module with its laws marked at its end: a method with a decorator is not native."""
    lines, marks = source.splitlines(), []
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    methods = [(cls, node) for cls in classes for node in cls.body]
    for cls, method in methods:
        for decorator in getattr(method, "decorator_list", ()):
            text = ast.unparse(decorator)
            if text.startswith(("invariant(", "part_of(")):
                marks.append(f"{text}({cls.name}.{method.name})")
                for number in range(decorator.lineno, decorator.end_lineno + 1):
                    lines[number - 1] = ""  # Other lines keep their numbers.
    return "\n".join([*lines, *marks]) + "\n"


def written_chains() -> str:
    """A class for each observation that several laws judge, for `judging/chains`; of messages, that
    any judges."""
    from increstore.judging.catalogue import MONITORS
    from increstore.judging.dispatch import RECEIVED, SENT

    judges: dict[str, list[tuple[str, Any]]] = {}
    for monitor in MONITORS:
        for _, observation, law in monitor.checks():
            judges.setdefault(observation, []).append((monitor.__name__, law))
    tellings = [each for each in (*SENT, *RECEIVED) if each[1] in judges]
    tells = [_tell(*each, judges.pop(each[1])) for each in tellings]
    chains = [_chain(told, laws) for told, laws in judges.items() if len(laws) > 1]
    takers = {tell.__name__ for _, _, tell in tellings}
    imports = [f"from {monitor.__module__} import {monitor.__name__}" for monitor in MONITORS]
    imports += [f"from increstore.judging.dispatch import {taker}" for taker in sorted(takers)]
    return "\n".join([_CHAIN_IMPORTS, *imports, *chains, *tells]) + "\n"


_CHAIN_IMPORTS = """
from collections.abc import Mapping, Sequence
from typing import Any, cast, final
from increstore.judging.history import History
from increstore.judging.monitor import Monitor
from increstore.judging.streams import Source, Stream, Target
from increstore.judging.truth import Truth
from increstore.protocol.messages import *
from increstore.protocol.ready import Batch
from increstore.protocol.records import *
from increstore.protocol.target_state import TargetState
"""


def _chain(observation: str, laws: list[tuple[str, Any]]) -> str:
    """The class that calls these laws, each (its monitor, the method)."""
    parameters = _parameters(observation, [law for _, law in laws])
    name = observation.replace("*", "Anything").title().replace(" ", "") + "Chain"
    told = ", ".join(f"{name}: {kind}" for name, kind in parameters.items())
    return "\n".join(
        [
            "@final",
            f"class {name}:",
            "    def __init__(self, monitors: Mapping[type[Monitor], Monitor]) -> None:",
            *_monitors_kept(laws),
            f"    def __call__(self, now: int, {told}) -> None:",
            *_laws_called(laws, list(parameters)),
            f"CHAINS[{observation!r}] = {name}",
        ]
    )


def _tell(kind: type, observation: str, tell: Any, laws: list[tuple[str, Any]]) -> str:
    """The class that takes in this kind of message as `tell` does, after these laws."""
    name = observation.title().replace(" ", "") + "Tell"
    parameters = list(inspect.signature(tell.take).parameters.values())[1:-1]
    declared = ", ".join(f"{parameter.name}: {parameter.annotation}" for parameter in parameters)
    names = [*(parameter.name for parameter in parameters), "message"]
    return "\n".join(
        [
            "@final",
            f"class {name}({tell.__name__}):",
            "    def __init__(",
            "        self, truth: Truth, checks_of: Any, monitors: Mapping[type[Monitor], Monitor]",
            "    ) -> None:",
            "        super().__init__(truth, (), checks_of)",
            *_monitors_kept(laws),
            f"    def take(self, {declared}, message: Any) -> None:",
            f"        told = cast({kind.__name__}, message)",
            *_laws_called(laws, [*names[1:-1], "told"]),
            f"        super().take({', '.join(names)})",
            f"TELLS[{observation!r}] = {name}",
        ]
    )


def _monitors_kept(laws: list[tuple[str, Any]]) -> list[str]:
    monitors = sorted({monitor for monitor, _ in laws})
    return [
        f"        self.{monitor} = cast({monitor}, monitors[{monitor}])" for monitor in monitors
    ]


def _laws_called(laws: list[tuple[str, Any]], told: list[str]) -> list[str]:
    return [
        f"        self.{monitor}.{law.__name__}(now, {', '.join(told)})" for monitor, law in laws
    ]


def _parameters(observation: str, laws: list[Any]) -> dict[str, str]:
    """Names and types of what these laws are told after `now`: of several types the narrowest."""
    told = [list(inspect.signature(law).parameters.values())[2:] for law in laws]
    found = {
        f"{each[0].name.strip('_')}_{place}": min((one.annotation for one in each), key=len)
        for place, each in enumerate(zip(*told, strict=True))
    }
    kind, _, of_what = observation.partition(" ")
    if kind == "recorded" and of_what != "*":
        found[list(found)[-1]] = of_what
    return found


def written_writers() -> str:
    """The writers of `protocol/plain`, which makes each when it is first needed, as functions."""
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
    # No value can hold itself, and the last one that was dropped is the next one that is made.
    quicker = ast.parse("mypyc_attr(acyclic=True, free_list_len=1)", mode="eval").body
    cls.decorator_list = [ast.Name("final"), quicker]


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
