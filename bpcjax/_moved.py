"""Old names and old places: they warn once, and keep working."""

import importlib
import warnings
from collections.abc import Callable
from typing import Any

_WARNED: set[str] = set()


def _warn(old: str, new: str, stacklevel: int) -> None:
    if old not in _WARNED:
        warnings.warn(f"{old} is now {new}", DeprecationWarning, stacklevel=stacklevel + 1)
        _WARNED.add(old)


def renamed(face: str, names: dict[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a face whose old `names` stand for others, given by their full paths."""

    def __getattr__(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {face!r} has no attribute {name!r}")
        _warn(f"{face}.{name}", names[name], stacklevel=2)
        module, _, own = names[name].rpartition(".")
        return getattr(importlib.import_module(module), own)

    return __getattr__
