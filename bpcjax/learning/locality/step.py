"""Certificate of a learning step: the whole step, with all that makes its factors, on a wiring.

`certify_step` walks through the program of a step (`walk`) and keeps track of the neuron or synapse
at which every number lives. What the step does then falls into computations in one place, messages
along arrows, broadcasts, and the rest: violations.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from ..._require import function, instance
from .events import Event, Fault, Heard, Public
from .located import Entry, Index, Located, everywhere, factors, joined
from .owners import Elsewhere, Shared, flat, names_of, of_arrays, spread, with_arrays
from .report import StepCertificate, report
from .walk import Walk
from .wiring import Neurons, Place, Weights, Wiring

_FOREIGN = "weights are read by another synapse or neuron"


def certify_step(
    step: Callable[..., PyTree],
    args: tuple[PyTree, ...],
    owners: tuple[PyTree, ...],
    outputs: PyTree,
    wiring: Wiring,
) -> StepCertificate:
    """Certificate of a learning step: whether all that `step(*args)` computes could be done by the
    neurons and synapses of a `wiring`.

    `owners` says for every argument (or, as a prefix, for each part of it) whose numbers it holds:
    `Neurons`, `Weights`, `Shared` (all may read them; they are listed), `Elsewhere` (nobody may);
    `outputs` says the same of the result, such as changes of weights; `Elsewhere` there is not
    asked about. Each number must be computed where it lives. A synapse sees the numbers of the two
    neurons that it joins, its own, and those that are shared. Neurons get numbers of others only
    as sums over the synapses of an arrow that ends at them (a message), and single numbers that a
    population makes together, where the wiring allows it (a broadcast).

    **What is proven.** The rules are applied to each equation of the program that JAX traces,
    through calls, branches, loops and derivatives, for all values at these shapes; an equation that
    is not known and touches neurons or synapses is a violation, so `ok` cannot come from
    ignorance. **What is not.** That the step learns; what an allowed broadcast or a shared number
    means, or how many are needed; that the phases are told apart locally; single numbers that the
    program closes over are constants. A violation is a property of the program: another one of the
    same numbers may do without.

    Convolutions, gathers, scatters and linear solves are not analysed: they are refused.

    **Raises:** `ValueError` if owners do not fit the arguments, name what the wiring lacks or axes
    that are not there, or a population has two sizes or one neuron.
    """
    return report(walked(step, args, owners, outputs, wiring).events, wiring)


class Walked(NamedTuple):
    """Program of a step, its arrays, and what happens on the way to each result, by its owner."""

    jaxpr: Any
    arrays: list[Array]
    events: dict[str, set[Event]]


def walked(step: Callable, args: tuple, owners: tuple, outputs: PyTree, wiring: Wiring) -> Walked:
    """The program of a step and its events; arguments as in `certify_step`."""
    function("step", step)
    instance("args", args, tuple)
    instance("wiring", wiring, Wiring)
    leaves, labels = flat(args, names_of(step, len(args)))
    program, dynamic = of_arrays(step, args)
    whose = spread(owners, args, "owners", Place)
    shape = jax.eval_shape(step, *with_arrays(args))
    out_whose = spread(outputs, shape, "outputs", Place)
    arrays = [jnp.asarray(leaves[k]) for k in dynamic]
    jaxpr = jax.make_jaxpr(program)(*arrays)
    places = _Places(wiring)
    inputs = [
        places.argument(whose[k], x.shape, labels[k]) for k, x in zip(dynamic, arrays, strict=True)
    ]
    events: dict[str, set[Event]] = {}
    for value, place in zip(Walk().closed(jaxpr, inputs), out_whose, strict=True):
        if not isinstance(place, Elsewhere):
            name, found = places.output(value, place)
            events.setdefault(name, set()).update(found)
    return Walked(jaxpr, arrays, events)


class _Places:
    """Located arrays of arguments and results, by the owners of their numbers."""

    def __init__(self, wiring: Wiring):
        self.wiring = wiring
        self.sizes: dict[str, int] = {}

    def argument(self, place: Place, shape: Sequence[int], name: str) -> Located:
        """What is known of an argument."""
        value = self.of(place, shape, name)
        if isinstance(place, Neurons):
            return dataclasses.replace(value, signals=frozenset(_of_neurons(value)))
        if isinstance(place, Weights):
            return dataclasses.replace(value, weights=frozenset({_own(value, place)}))
        if isinstance(place, Shared):
            return dataclasses.replace(value, public=frozenset({Public(name, "argument")}))
        return value.with_events(Fault(name, "numbers that are of nobody here are read"))

    def output(self, value: Located, place: Place) -> tuple[str, frozenset[Event]]:
        """Whose number it is, and what happens on the way to it: its events, and those that bring
        it to where it belongs."""
        home = self.of(place, value.shape, "outputs")
        here = joined(home, value)
        allowed = {_own(home, place)} if isinstance(place, Weights) else set()
        foreign = sorted({e.arrow for e in here.weights - allowed})
        faults = [
            Fault(arrow, "weights are read by another synapse or neuron") for arrow in foreign
        ]
        shared = [Heard(public, ("all",)) for public in here.public]
        return _name(place), here.with_events(*faults, *shared).events

    def of(self, place: Place, shape: Sequence[int], name: str) -> Located:
        """An array of an owner, with nothing in it."""
        self.wiring.check(place)
        if isinstance(place, Elsewhere):
            return everywhere(shape)
        counted: dict[int, str] = {}
        if isinstance(place, Neurons):
            counted = {self.axis(place.axis, shape, place, name): place.population}
        if isinstance(place, Weights):
            pre, post = self.wiring.arrows[place.arrow]
            counted = {
                self.axis(place.post, shape, place, name): post,
                self.axis(place.pre, shape, place, name): pre,
            }
        for axis, population in counted.items():
            size = self.sizes.setdefault(population, shape[axis])
            if size != shape[axis] or size < 2:
                raise ValueError(
                    f"{name}: population {population} has {shape[axis]} neurons along axis {axis}; "
                    f"it must have two at least, and as many everywhere (elsewhere: {size})."
                )
        return Located(
            tuple(factors(counted.get(axis, Index.OWN), n) for axis, n in enumerate(shape))
        )

    @staticmethod
    def axis(axis: int, shape: Sequence[int], place: Place, name: str) -> int:
        """An axis, counted from the first."""
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"{name}: {place} names an axis that shape {tuple(shape)} lacks.")
        return axis % len(shape)


def _of_neurons(value: Located) -> list[int]:
    return [k for k, f in enumerate(value.flat) if isinstance(f.label, str)]


def _own(value: Located, place: Any) -> Entry:
    """The weights of an array at their own synapses."""
    first, second = _of_neurons(value)
    post, pre = place.post % len(value.axes), place.pre % len(value.axes)
    return Entry(place.arrow, first, second) if post < pre else Entry(place.arrow, second, first)


def _name(place: Place) -> str:
    if isinstance(place, Weights):
        return place.arrow
    return place.population if isinstance(place, Neurons) else "shared numbers"
