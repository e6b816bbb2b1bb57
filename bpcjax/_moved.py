"""Deprecated names and modules: they warn once, and keep working."""

import importlib
import sys
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

_WARNED: set[tuple[str, str]] = set()
_OLD_NAMES: dict[str, frozenset[str]] = {}


def _warn(old: str, new: str, stacklevel: int) -> None:
    if (old, new) not in _WARNED:
        warnings.warn(f"{old} is now {new}", DeprecationWarning, stacklevel=stacklevel + 1)
        _WARNED.add((old, new))


class _Face(ModuleType):
    """A face whose names stay what they are where an old module of the same name is imported,
    which Python would put in their place."""

    def __setattr__(self, name: str, value: Any) -> None:
        own = name in self.__dict__ or name in _OLD_NAMES.get(self.__name__, ())
        if not (own and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def renamed(face: str, names: dict[str, str]) -> Callable[[str], Any]:
    """`__getattr__` of a module whose deprecated `names` stand for others, given by their full
    paths."""
    _OLD_NAMES[face] = frozenset(names)
    sys.modules[face].__class__ = _Face

    def __getattr__(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {face!r} has no attribute {name!r}")
        _warn(f"{face}.{name}", names[name], stacklevel=2)
        module, _, own = names[name].rpartition(".")
        return getattr(importlib.import_module(module), own)

    return __getattr__


def moved(old: str, new: str) -> None:
    """Fill the deprecated module `old` with what is in `new`, to where its code has moved."""
    _warn(old, new, stacklevel=3)
    names = vars(importlib.import_module(new))
    vars(sys.modules[old]).update({k: x for k, x in names.items() if not k.startswith("__")})
