"""The table of doors: a valid small call of each public name, and what is free in its arguments."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Door(NamedTuple):
    """A valid call: its arguments by name. Of the arguments, by kind of hostility, those for which
    it is right: `shape="y bias"`; those that must not take it: `bars`; `heavy` calls compile long.

    `on` makes the object of which the last part of the name is a method.
    """

    arguments: dict[str, Any]
    free: dict[str, frozenset[str]]
    bars: dict[str, frozenset[str]]
    on: Callable[[], Any] | None = None
    heavy: bool = False


def _by_argument(kinds: dict[str, str]) -> dict[str, frozenset[str]]:
    """From the arguments of each kind, the kinds of each argument."""
    every = {name for names in kinds.values() for name in names.split()}
    return {
        name: frozenset(k for k, names in kinds.items() if name in names.split()) for name in every
    }


def door(
    arguments: dict[str, Any],
    *,
    on: Any = None,
    heavy: bool = False,
    positive: str = "",
    nonnegative: str = "",
    finite: str = "",
    counted: str = "",
    **free: str,
) -> Door:
    """A door: `positive`, `nonnegative`, `finite` numbers, and sizes of at least 1 (`counted`)."""
    bars = {
        "negative": f"{positive} {nonnegative}",
        "zero": f"{positive} {counted}",
        "infinite": finite,
    }
    return Door(arguments, _by_argument(free), _by_argument(bars), on, heavy)
