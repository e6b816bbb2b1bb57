"""Settings of a study: fields of a frozen dataclass that say their bounds and quick values."""

import dataclasses
import math
from typing import Any, TypeVar

from . import InputError


@dataclasses.dataclass(frozen=True)
class Bounds:
    """What the value of a setting may be; of a tuple, each of its entries."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    among: tuple[Any, ...] | None = None
    empty: bool = False

    def check(self, name: str, value: Any) -> None:
        """Nothing, if the value is within the bounds.

        **Raises:** `InputError` naming the setting and what it must be.
        """
        if isinstance(value, tuple):
            if not (value or self.empty):
                raise InputError(f"{name} must have at least one value, got none.")
            for entry in value:
                self.check(name, entry)
        elif self.among is not None and value not in self.among:
            raise InputError(
                f"{name} must be one of {', '.join(map(str, self.among))}, got {value}."
            )
        elif isinstance(value, int | float) and not self._within(value):
            raise InputError(f"{name} must be {self._wanted()}, got {value}.")

    def _within(self, value: float) -> bool:
        return (
            math.isfinite(value)
            and (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def _wanted(self) -> str:
        words = {"at least": self.least, "more than": self.above, "at most": self.most,
                 "less than": self.below}  # fmt: skip
        return (
            " and ".join(f"{word} {x:g}" for word, x in words.items() if x is not None) or "finite"
        )


def setting(
    default: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    among: tuple[Any, ...] | None = None,
    empty: bool = False,
    quick: Any = dataclasses.MISSING,
) -> Any:
    """A field of a `Config`: its default, its bounds, and its value in a quick run.

    A number `quick` is the most that a number may be there; a function is called with the value;
    anything else stands in its place. `None` is within all bounds if it is the default. A tuple
    may be `empty` only if that is said.
    """
    bounds = Bounds(least, above, most, below, among, empty)
    return dataclasses.field(default=default, metadata={"bounds": bounds, "quick": quick})


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of every study."""

    quick: bool = False
    """Fewer points, in less than a minute."""
    out: str = "results"
    """The folder for results."""
    figures: str = "figures/out"
    """The folder for the picture."""
    gallery: bool = False
    """Write the small picture to figures/gallery too."""

    def verify(self) -> None:
        """Hook: what must hold between settings, which no bound of one can say.

        **Raises:** `InputError` naming the setting and the remedy.
        """


C = TypeVar("C", bound=Config)
CHANGE_NO_NUMBER = "out", "figures", "gallery"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _quick(value: Any, quick: Any) -> Any:
    if callable(quick):
        return quick(value)
    return min(value, quick) if _is_number(value) and _is_number(quick) else quick


def prepared(config: C) -> C:
    """The settings, within their bounds, and with their quick values if the run is quick.

    **Raises:** `InputError` naming the setting that makes no sense.
    """
    quick = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        bounds = field.metadata.get("bounds")
        if bounds is not None and not (value is None and field.default is None):
            bounds.check(field.name, value)
        least = field.metadata.get("quick", dataclasses.MISSING)
        if config.quick and least is not dataclasses.MISSING:
            quick[field.name] = _quick(value, least)
    config = dataclasses.replace(config, **quick)
    config.verify()
    return config
