"""Diffrax term of a spiking system."""

from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from .._require import instance
from ..inputs import AbstractInput
from ..system import AbstractSpikingSystem


def _ready(system: AbstractSpikingSystem) -> AbstractSpikingSystem:
    """The system with its sources of events as a solve wants them."""

    instance("system", system, AbstractSpikingSystem)

    def is_source(x: Any) -> bool:
        return isinstance(x, AbstractInput)

    return jax.tree.map(lambda x: x.ready() if is_source(x) else x, system, is_leaf=is_source)


class SpikingTerm(dfx.AbstractTerm):
    """Term of a spiking system: its flow, with its guard, reset and kick at hand for the solver.

    `diffrax.diffeqsolve(SpikingTerm(system), OrderedSpikes(), ...)` takes every diffrax option.
    """

    system: AbstractSpikingSystem = eqx.field(converter=_ready)

    def vf(self, t, y, args):
        return self.system.vector_field(t, y, args)

    def contr(self, t0, t1, **kwargs):
        return t1 - t0

    def prod(self, vf, control):
        return jax.tree.map(lambda f: f * control, vf)


def unwrap(terms: PyTree) -> tuple[AbstractSpikingSystem, Any, bool]:
    """The system in what `diffeqsolve` hands to a solver, the direction of time, and whether
    there is noise.

    **Raises:** `TypeError` if there is no `SpikingTerm` in `terms`.
    """
    noisy = isinstance(terms, dfx.MultiTerm)
    term, direction = (terms.terms[0] if noisy else terms), jnp.array(1)
    if isinstance(term, dfx._term.WrapTerm):
        term, direction = term.term, term.direction
    if not isinstance(term, SpikingTerm):
        raise TypeError(
            f"terms: a solver of spikes needs bpcjax.SpikingTerm(system), got {type(term).__name__}"
        )
    return term.system, direction, noisy
