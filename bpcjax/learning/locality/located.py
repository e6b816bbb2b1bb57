"""Located arrays: abstract values that say where in a network each number of an array lives.

Every axis is a product of factors, as `reshape` may merge axes, and each factor counts the neurons
of a population, or samples and moments, or neither. The promise kept by every operation: a number
at place i of a factor of population P knows, of all numbers of single neurons of P, only those of
neuron i, but for what its `events` list.
"""

import dataclasses
import enum
import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import mul
from typing import NamedTuple

from .events import Event, Fault, Heard, Public


class Index(enum.Enum):
    """What an axis counts that counts no neurons: nothing (the same all along); places that the
    program made (constants, random numbers); a neuron's own samples and moments."""

    SAME = 0
    STRUCTURE = 1
    OWN = 2


Label = str | Index  # the population, where an axis counts neurons


class Factor(NamedTuple):
    """Factor of an axis: what it counts, and how many."""

    label: Label
    size: int


class Entry(NamedTuple):
    """Weights of an arrow that are in a value, each at its own synapse: the factors that count the
    neurons after and before it."""

    arrow: str
    post: int
    pre: int


@dataclasses.dataclass(frozen=True)
class Located:
    """Located array: the factors of its axes; `weights` that are in it; `signals`, the factors by
    which numbers of neurons came in; the `public` numbers in it, and the `events` on the way."""

    axes: tuple[tuple[Factor, ...], ...]
    weights: frozenset[Entry] = frozenset()
    signals: frozenset[int] = frozenset()
    public: frozenset[Public] = frozenset()
    events: frozenset[Event] = frozenset()

    @property
    def flat(self) -> tuple[Factor, ...]:
        """All factors, in the order of axes."""
        return tuple(f for axis in self.axes for f in axis)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of its axes."""
        return tuple(math.prod(f.size for f in axis) for axis in self.axes)

    @property
    def groups(self) -> list[list[int]]:
        """The numbers of the factors of each axis."""
        numbers = iter(range(len(self.flat)))
        return [[next(numbers) for _ in axis] for axis in self.axes]

    @property
    def populations(self) -> tuple[str, ...]:
        """Populations along its axes."""
        return tuple(f.label for f in self.flat if isinstance(f.label, str))

    @property
    def is_constant(self) -> bool:
        """Whether it depends on no argument."""
        made = (f.label in (Index.SAME, Index.STRUCTURE) for f in self.flat)
        return not self.public and not self.events and all(made)

    def with_events(self, *events: Event) -> "Located":
        """The same after more events."""
        return dataclasses.replace(self, events=self.events | frozenset(events))

    def counts_neurons(self, axis: int) -> bool:
        """Whether an axis counts neurons."""
        return any(isinstance(f.label, str) for f in self.axes[axis])

    def touches(self, place: int) -> list[str]:
        """The arrows whose weights have this factor."""
        return sorted({e.arrow for e in self.weights if place in (e.post, e.pre)})


def factors(label: Label, size: int) -> tuple[Factor, ...]:
    """The factors of an axis that counts one thing."""
    return () if size == 1 else (Factor(label, size),)


def everywhere(shape: Sequence[int], label: Label = Index.SAME) -> Located:
    """A value of nobody's numbers."""
    return Located(tuple(factors(label, n) for n in shape))


def arranged(value: Located, layout: Iterable[Iterable[int | Factor]]) -> Located:
    """The value with other axes: of old factors, by their numbers, and new ones."""
    flat, axes, place = value.flat, [], {}
    total = 0
    for axis in layout:
        row = []
        for item in axis:
            if not isinstance(item, Factor):
                place[item], item = total, flat[item]
            row.append(item)
            total += 1
        axes.append(tuple(row))
    kept = (e for e in value.weights if e.post in place and e.pre in place)
    return dataclasses.replace(
        value,
        axes=tuple(axes),
        weights=frozenset(Entry(e.arrow, place[e.post], place[e.pre]) for e in kept),
        signals=frozenset(place[s] for s in value.signals if s in place),
    )


def spread(value: Located, where: Sequence[int], shape: Sequence[int]) -> Located:
    """The value repeated to `shape`, its axes at `where` there."""
    groups = value.groups
    layout: list[list[int | Factor]] = [list(factors(Index.SAME, n)) for n in shape]
    for axis, target in enumerate(where):
        if groups[axis]:
            layout[target] = list(groups[axis])
    return arranged(value, layout)


def reshaped(value: Located, shape: Sequence[int]) -> Located | None:
    """The value in another shape; `None` where the neurons of a population come apart."""
    flat = value.flat
    queue: list[tuple[int, Factor]] = list(enumerate(flat))
    layout: list[list[int | Factor]] = []
    for size in shape:
        row: list[int | Factor] = []
        while size > 1:
            number, factor = queue.pop(0)
            if size % factor.size == 0:
                row.append(number if factor is flat[number] else factor)
                size //= factor.size
            elif factor.size % size == 0 and not isinstance(factor.label, str):
                row.append(Factor(factor.label, size))
                queue.insert(0, (number, Factor(factor.label, factor.size // size)))
                size = 1
            else:
                return None
        layout.append(row)
    return arranged(value, layout)


def joined(*values: Located) -> Located:
    """What knows all of the values, number by number (those without axes at every place)."""
    rank = max(len(v.axes) for v in values)
    events = {event for v in values for event in v.events}
    whole = _cut([v for v in values if len(v.axes) == rank])
    if whole is None:
        names = sorted({p for v in values for p in v.populations})
        fault = Fault(" - ".join(names), "axes that count neurons are cut or merged")
        sizes = next(v.shape for v in values if len(v.axes) == rank)
        whole, events = [everywhere(sizes)], events | {fault}
    flat = list(whole[0].flat)
    for k, other in enumerate(whole[1:], 1):
        for place, (mine, its) in enumerate(zip(flat, other.flat, strict=True)):
            label, fits = _meet(mine.label, its.label)
            flat[place] = Factor(label, mine.size)
            if not fits:
                arrows = {a for v in whole[: k + 1] for a in v.touches(place)}
                events.add(_misfit(mine.label, its.label, sorted(arrows)))
    numbers = iter(flat)
    result = Located(
        tuple(tuple(next(numbers) for _ in axis) for axis in whole[0].axes),
        frozenset(e for v in whole for e in v.weights),
        frozenset(s for v in whole for s in v.signals),
        frozenset(p for v in values for p in v.public),
        frozenset(events),
    )
    return delivered(result)


def delivered(value: Located) -> Located:
    """The value where its public numbers were heard by the neurons that it belongs to."""
    if not value.populations or not value.public:
        return value
    heard = (Heard(public, value.populations) for public in value.public)
    return dataclasses.replace(value.with_events(*heard), public=frozenset())


def _meet(one: Label, other: Label) -> tuple[Label, bool]:
    """What an axis counts where two values meet, and whether they may."""
    if isinstance(one, Index) and isinstance(other, Index):
        return max(one, other, key=lambda i: i.value), True
    if isinstance(one, str) and isinstance(other, str):
        return one, one == other
    name, index = (one, other) if isinstance(one, str) else (other, one)
    return name, index is not Index.OWN


def _misfit(one: Label, other: Label, arrows: list[str]) -> Fault:
    names = [label for label in (one, other) if isinstance(label, str)]
    edge = " - ".join(arrows if arrows else names)
    if len(names) == 1:
        return Fault(edge, "numbers that are of no single neurons are dealt out to them")
    what = "weights are read at other synapses than their own" if arrows else "numbers are read"
    return Fault(edge, f"{what}: neurons of {names[0]} meet those of {names[1]} one by one")


def _cut(values: list[Located]) -> list[Located] | None:
    """The values with the same factors along every axis; `None` if a population would be cut."""
    layouts: list[list[list[int | Factor]]] = [[] for _ in values]
    for axis in range(len(values[0].axes)):
        ends = [list(accumulate((f.size for f in v.axes[axis]), mul)) for v in values]
        every = sorted({1}.union(*ends))
        if any(b % a for a, b in zip(every, every[1:], strict=False)):
            return None
        for value, layout in zip(values, layouts, strict=True):
            row: list[int | Factor] = []
            start = 1
            for number, factor in zip(value.groups[axis], value.axes[axis], strict=True):
                stop = start * factor.size
                inside = [e for e in every if start <= e <= stop]
                if len(inside) == 2:
                    row.append(number)
                elif isinstance(factor.label, str):
                    return None
                else:
                    pairs = zip(inside, inside[1:], strict=False)
                    row += [Factor(factor.label, b // a) for a, b in pairs]
                start = stop
            layout.append(row)
    return [arranged(v, layout) for v, layout in zip(values, layouts, strict=True)]
