"""Sums over neurons: where numbers of several neurons or synapses come together.

Numbers at the synapses of an arrow that are summed over the neurons before it are a message along
it, over the neurons after it one against it; numbers of a population without weights are public
after it. All else has no carrier.
"""

import dataclasses
from collections.abc import Sequence

from .events import Event, Fault, Message, Public, Site
from .located import Index, Located, arranged, delivered, joined, spread

_TOGETHER = "numbers of several synapses come together in one place"
_UNWIRED = "numbers are brought to single neurons without weights of an arrow"
_CONSTANTS = "numbers are summed with constants of the program as weights, several times"


def gathered(value: Located, axes: Sequence[int], how: str, site: Site) -> Located:
    """The value after its axes `axes` are reduced (`how`), with the messages that this takes."""
    groups, flat = value.groups, value.flat
    gone = {f for axis in axes for f in groups[axis]}
    rest = [f for k, f in enumerate(flat) if k not in gone]
    left = {k for k, f in enumerate(flat) if isinstance(f.label, str)}
    weights, signals = set(value.weights), set(value.signals)
    public, events = set(value.public), set(value.events)
    # First over the neurons before an arrow: what is summed at those after it may then be public.
    before = {e.pre for e in weights}
    for place in sorted(gone & left, key=lambda k: k not in before):
        left.discard(place)
        name = str(flat[place].label)
        mine = {e for e in weights if place in (e.post, e.pre)}
        ends = {k for e in mine for k in (e.post, e.pre)} - {place}
        arrows = " and ".join(sorted({e.arrow for e in mine}))
        if len(mine) > 1 or mine and left - ends:
            events.add(Fault(arrows, _TOGETHER))
        elif not mine and left:
            others = ", ".join(sorted({str(flat[k].label) for k in left}))
            events.add(Fault(f"{name} -> {others}", _UNWIRED))
        elif any(f.label is Index.STRUCTURE for f in rest):
            events.add(Fault(f"{arrows or name} -> constants", _CONSTANTS))
        elif not mine:
            public.add(Public(name, how, site))
        events |= {Message(e.arrow, e.pre == place, place in signals, site) for e in mine}
        weights -= mine
        signals = (signals | (ends & left)) - {place}
    summed = dataclasses.replace(
        value,
        weights=frozenset(weights),
        signals=frozenset(signals),
        public=frozenset(public),
        events=frozenset[Event](events),
    )
    kept = [group for axis, group in enumerate(groups) if axis not in set(axes)]
    return delivered(arranged(summed, kept))


def product(
    one: Located, other: Located, numbers: tuple, sizes: tuple[Sequence[int], Sequence[int]],
    site: Site,
) -> Located:  # fmt: skip
    """The value of `dot_general` of two: their product place by place, summed."""
    (summed, repeated), (shape, its) = numbers, sizes
    free = [
        [k for k in range(len(s)) if k not in (*summed[i], *repeated[i])]
        for i, s in enumerate((shape, its))
    ]
    first, second = len(repeated[0]), len(repeated[0]) + len(free[0])
    last = second + len(free[1])
    places: list[dict[int, int]] = []
    for i, start in enumerate((first, second)):
        where = {axis: k for k, axis in enumerate(repeated[i])}
        where |= {axis: start + k for k, axis in enumerate(free[i])}
        where |= {axis: last + k for k, axis in enumerate(summed[i])}
        places.append(where)
    whole = [0] * (last + len(summed[0]))
    for where, size in zip(places, (shape, its), strict=True):
        for axis, target in where.items():
            whole[target] = size[axis]
    both = [
        spread(value, [where[k] for k in range(len(where))], whole)
        for value, where in zip((one, other), places, strict=True)
    ]
    return gathered(joined(*both), range(last, len(whole)), "sum", site)
