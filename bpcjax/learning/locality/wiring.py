"""Wiring of a network: its arrows between populations, and whose numbers the arrays of a program
hold."""

import dataclasses
from collections.abc import Mapping

from ..._require import instance, sequence
from .owners import Elsewhere, Shared, check_axes


@dataclasses.dataclass(frozen=True)
class Neurons:
    """Owner of the numbers of a population's neurons: `axis` counts the neurons; the numbers along
    all other axes (samples, moments) are a neuron's own."""

    population: str
    axis: int = -1

    def __post_init__(self) -> None:
        check_axes(self)


@dataclasses.dataclass(frozen=True)
class Weights:
    """Owner of the numbers of an arrow's synapses, weights and what else they keep: the axes `post`
    and `pre` count the neurons after and before them."""

    arrow: str
    post: int = -2
    pre: int = -1

    def __post_init__(self) -> None:
        check_axes(self)


Place = Neurons | Weights | Shared | Elsewhere


@dataclasses.dataclass(frozen=True)
class Wiring:
    """Wiring graph: `arrows` name -> (population before, population after), each with synapses of
    its own; `broadcasts` (population, population): pairs of which the second may hear single
    numbers that all neurons of the first make together, as a softmax does.

    **Raises:** `ValueError` for a broadcast of a population that no arrow touches.
    """

    arrows: Mapping[str, tuple[str, str]]
    broadcasts: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        instance("arrows", self.arrows, Mapping)
        for name, pairs in (("arrows", self.arrows.values()), ("broadcasts", self.broadcasts)):
            for pair in sequence(name, pairs, tuple):
                if len(sequence(name, pair, str)) != 2:
                    raise ValueError(f"{name} must be pairs of populations, got {pair}.")
        strange = {p for pair in self.broadcasts for p in pair} - self.populations
        if strange:
            raise ValueError(f"broadcasts: no arrow touches {sorted(strange)}.")

    @property
    def populations(self) -> set[str]:
        """The populations that arrows join."""
        return {p for pair in self.arrows.values() for p in pair}

    def check(self, place: Place) -> None:
        """Whether a place is in this wiring.

        **Raises:** `ValueError` naming what is not.
        """
        if isinstance(place, Neurons) and place.population not in self.populations:
            raise ValueError(f"{place}: no arrow touches it; there are {sorted(self.populations)}.")
        if isinstance(place, Weights) and place.arrow not in self.arrows:
            raise ValueError(f"{place}: no such arrow; there are {sorted(self.arrows)}.")
