"""Frozen values that are made quickly: for every event a simulation makes several of them.

A frozen dataclass writes each of its fields through `object.__setattr__`, which takes longer than
everything else about a small value. Here a value is born as its *draft*, a class with the same
slots that may be written to; once it is written it becomes what it is, and is frozen.

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
    """A dataclass with `frozen=True, slots=True` that is made in half the time.

    Fields may have defaults, but no factories; the class is not to be subclassed.
    """
    made = dataclass(frozen=True, slots=True, init=False)(cls)
    names: dict[str, Any] = {"become": become, "Draft": draft_of(made), "Value": made}
    exec(_init_source(made, names), names)  # As dataclasses make theirs.
    init = names["__init__"]
    init.__qualname__ = f"{made.__qualname__}.__init__"
    type.__setattr__(made, "__init__", init)
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

    def refuse(value: object, name: str, *_: object) -> NoReturn:
        raise FrozenInstanceError(f"{cls.__name__}.{name} cannot be changed")

    def reduce(value: object) -> tuple[type, tuple[Any, ...]]:
        return cls, tuple(getattr(value, name) for name in field_names)

    type.__setattr__(cls, "__match_args__", field_names)
    cls.__annotations__ = dict(zip(field_names, types, strict=True))
    cls.__dataclass_fields__ = like.__dict__["__dataclass_fields__"]
    cls.__dataclass_params__ = like.__dict__["__dataclass_params__"]
    cls.__reduce__ = reduce
    if is_native(cls):  # Its own `__init__` does not ask.
        cls.__setattr__ = cls.__delattr__ = refuse


def _init_source(cls: Any, names: dict[str, Any]) -> str:
    """The source of `__init__`; the default values go into `names`."""
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
