"""Frozen values that are made and declared quickly.

For every event a simulation makes several of them. A frozen dataclass writes each of its fields
through `object.__setattr__`, which takes longer than everything else about a small value. Here a
value is born as its *draft*, a class with the same slots that may be written to; once it is written
it becomes what it is, and is frozen.

And fifty of their classes are made whenever a restore starts. Each method that `dataclass` writes
is compiled by itself, which takes longer than everything else about a class. Here three are
compiled together, and the others are the same functions for all classes.

In the compiled build (docs/PERFORMANCE.md) none of this is needed: its classes are written out, and
`complete` gives them what else a frozen dataclass has.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass, fields, make_dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

become: Any = object.__dict__["__class__"].__set__
"""`become(instance, cls)` assigns `__class__` where the class forbids every assignment."""


@dataclass_transform(frozen_default=True)
def frozen(cls: type[T]) -> type[T]:
    """A dataclass with `frozen=True, slots=True` whose values are made in half the time.

    Fields may have defaults, but no factories; the class is not to be subclassed.
    """
    # Without a docstring `dataclass` would write one of the signature, which it has to inspect.
    cls.__doc__ = cls.__doc__ or f"{cls.__name__}."
    made = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    names: dict[str, Any] = {"become": become, "Draft": draft_of(made), "Value": made}
    exec(_methods_source(made, names), names)  # As dataclasses make theirs.
    for name in ("__init__", "__eq__", "__hash__"):
        method = names[name]
        method.__qualname__ = f"{made.__qualname__}.{name}"
        setattr(made, name, method)
    made.__repr__ = _repr  # type: ignore[method-assign]
    made.__reduce__ = _reduce  # type: ignore[assignment]
    made.__setattr__ = made.__delattr__ = _refuse  # type: ignore[method-assign]
    return made


def draft_of(cls: type) -> type:
    """A class whose instances may be written to, and then become a `cls` by their `__class__`."""
    assert not hasattr(cls, "__post_init__"), f"a draft would become a {cls.__name__} unchecked"
    slots = {"__slots__": cls.__dict__["__slots__"], "__module__": cls.__module__}
    return type(f"{cls.__name__}Draft", (), slots)


def maker_of(cls: type[T]) -> Callable[..., T]:
    """A function that makes a `cls` of all its fields, in order: in two thirds of the time."""
    if is_native(cls):
        return cls
    names: dict[str, Any] = {"Draft": draft_of(cls), "Value": cls}
    fields_in_order = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    lines = [f" value.{name} = {name}\n" for name in fields_in_order]
    parameters = ", ".join(fields_in_order)
    head = f"def make({parameters}):\n value = Draft()\n"
    exec(f"{head}{''.join(lines)} value.__class__ = Value\n return value\n", names)
    make: Callable[..., T] = names["make"]
    return make


def is_native(cls: type) -> bool:
    """Whether the class was compiled: it is quick by itself, and nothing can become one."""
    return hasattr(cls, "__mypyc_attrs__")


def complete(cls: Any, field_names: tuple[str, ...], types: tuple[str, ...]) -> None:
    """Give a class with written-out `__init__`, `__eq__` and `__hash__` what a frozen dataclass has
    besides: its fields, no change from outside, copies and pickles."""
    like = make_dataclass(cls.__name__, zip(field_names, types, strict=True), frozen=True)
    type.__setattr__(cls, "__match_args__", field_names)
    cls.__annotations__ = dict(zip(field_names, types, strict=True))
    cls.__dataclass_fields__ = like.__dict__["__dataclass_fields__"]
    cls.__dataclass_params__ = like.__dict__["__dataclass_params__"]
    cls.__reduce__ = _reduce
    if is_native(cls):  # Its own `__init__` does not ask.
        cls.__setattr__ = cls.__delattr__ = _refuse


def _refuse(value: object, name: str, *_: object) -> NoReturn:
    raise FrozenInstanceError(f"{type(value).__name__}.{name} cannot be changed")


def _reduce(value: Any) -> tuple[type, tuple[Any, ...]]:
    """For copies and pickles."""
    return type(value), tuple(getattr(value, name) for name in value.__match_args__)


def _repr(value: Any) -> str:
    shown = (f"{name}={getattr(value, name)!r}" for name in value.__match_args__)
    return f"{type(value).__qualname__}({', '.join(shown)})"


def _methods_source(cls: Any, names: dict[str, Any]) -> str:
    """The source of `__init__`, `__eq__` and `__hash__`; the default values go into `names`."""
    mine = "".join(f"self.{field.name}, " for field in fields(cls))
    its = "".join(f"other.{field.name}, " for field in fields(cls))
    return (
        f"{_init_source(cls, names)}"
        "def __eq__(self, other):\n"
        " if other.__class__ is not self.__class__: return NotImplemented\n"
        f" return ({mine}) == ({its})\n"
        "def __hash__(self):\n"
        f" return hash(({mine}))\n"
    )


def _init_source(cls: Any, names: dict[str, Any]) -> str:
    parameters = ["self"]
    lines = [" become(self, Draft)\n"]
    for field in fields(cls):
        assert field.default_factory is MISSING, f"{cls.__name__}.{field.name} has a factory"
        if field.default is MISSING:
            parameters.append(field.name)
        else:
            names[f"default_{field.name}"] = field.default
            parameters.append(f"{field.name}=default_{field.name}")
        lines.append(f" self.{field.name} = {field.name}\n")
    return f"def __init__({', '.join(parameters)}):\n{''.join(lines)} self.__class__ = Value\n"
