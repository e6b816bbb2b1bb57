"""Base classes of solvers: around a diffrax solver, and of spiking systems."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import diffrax as dfx
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from .._require import instance
from ..spikes import Spikes
from ..system import check_kinds
from .clock import Clock


class AbstractAround(dfx.AbstractWrappedSolver):
    """Wrapper of a solver: it makes its steps with those of `inner`, and has its order."""

    inner: eqx.AbstractVar[dfx.AbstractSolver]

    @property
    def term_structure(self):
        return self.inner.term_structure

    def order(self, terms):
        return self.inner.order(terms)

    def strong_order(self, terms):
        return self.inner.strong_order(terms)

    def error_order(self, terms):
        return self.inner.error_order(terms)

    def func(self, terms, t0, y0, args):
        return self.inner.func(terms, t0, y0, args)


class AbstractAroundInterpolation(dfx.AbstractLocalInterpolation):
    """Dense output of a step, made with the inner solver's; right-continuous at the events."""

    interpolation_cls: eqx.AbstractVar[Callable[..., Any]]

    @abstractmethod
    def at(self, t: Any) -> PyTree[Array]:
        """The state of the dense output at the time `t`."""

    def evaluate(self, t0, t1=None, left: bool = True) -> PyTree[Array]:
        if t1 is None:
            return self.at(t0)
        return jax.tree.map(lambda a, b: a - b, self.at(t1), self.at(t0))


@dataclass(frozen=True)
class Around:
    """Constructor of a `kind` of interpolation from a given inner one (hashable, for diffrax)."""

    kind: Callable[..., AbstractAroundInterpolation]
    interpolation_cls: Callable[..., Any]

    def __call__(self, **kwargs) -> AbstractAroundInterpolation:
        return self.kind(interpolation_cls=self.interpolation_cls, **kwargs)


def as_inner(solver: Any) -> dfx.AbstractSolver:
    """Converter of the field `inner`: a solver of diffrax.

    **Raises:** `ValueError` if it is none.
    """
    return instance("inner", solver, dfx.AbstractSolver)


class AbstractSpikesState(eqx.Module):
    """State of a solver of spiking systems, from step to step."""

    spikes: eqx.AbstractVar[Spikes | None]

    @abstractmethod
    def causes(
        self, guard: Callable[[], Array], ended: Bool[Array, ""]
    ) -> list[tuple[Bool[Array, ""], Any]]:
        """Each way in which spikes may have been lost, and the result that names it: `guard()`
        gives the guards at the end, `ended` says whether the solve came there.
        """

    def resumption(self) -> tuple[PyTree, Int[Array, ""]] | None:
        """Hook: where a run that ends inside a step goes on, at the start of that step: the state
        there, and the number of the step (default: where the run ended).
        """
        return None


class AbstractSpikes(AbstractAround):
    """Solver of spiking systems; `max_spikes` is the room of its record (`None`: no record)."""

    max_spikes: eqx.AbstractVar[int | None]
    room: eqx.AbstractVar[int | None]  # for events on their way
    clock: eqx.AbstractVar[Clock | None]

    def __check_init__(self) -> None:
        check_kinds(self)

    @property
    def scan_kind(self) -> str:
        """Kind of loop, for diffrax's adjoints, which would set the loops of a Runge-Kutta solver:
        they are."""
        return "bounded"

    @property
    def root_finder(self):
        """Root finder of an implicit inner solver, whose tolerances diffrax sets."""
        return self.inner.root_finder  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def root_find_max_steps(self):
        """Bound of the root finder's steps of an implicit inner solver."""
        return self.inner.root_find_max_steps  # pyright: ignore[reportAttributeAccessIssue]


def resumed(inputs, fresh, carried) -> tuple[PyTree, ...]:
    """The states of inputs in a run that goes on.

    **Raises:** `ValueError` if they are not the inputs of the run before.
    """
    if len(inputs) != len(carried):
        raise ValueError(
            f"system: it has {len(inputs)} sources of events, the run before had {len(carried)}."
        )
    triples = zip(inputs, fresh, carried, strict=True)
    return tuple(source.resume(new, old) for source, new, old in triples)


def failed(result: Any, *causes: tuple[Bool[Array, ""], Any]) -> Any:
    """`result` of a step, or, for a bare `diffeqsolve`, the first of diffrax's own that holds."""
    for wrong, cause in reversed(causes):
        result = dfx.RESULTS.where(jnp.asarray(wrong), cause, result)
    return result
