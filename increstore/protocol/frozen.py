"""Frozen values that are made quickly: for every event a simulation makes several of them.

A frozen dataclass writes each of its fields through `object.__setattr__`, which takes longer than
everything else about a small value. Here a value is born as its *draft*, a class with the same
slots that may be written to; once it is written it becomes what it is, and is frozen.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

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
    names: dict[str, Any] = {"Draft": draft_of(cls), "Value": cls}
    fields_in_order = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    lines = [f" value.{name} = {name}\n" for name in fields_in_order]
    parameters = ", ".join(fields_in_order)
    head = f"def make({parameters}):\n value = Draft()\n"
    exec(f"{head}{''.join(lines)} value.__class__ = Value\n return value\n", names)
    make: Callable[..., T] = names["make"]
    return make


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
