"""Systems: a flow, and, if it spikes, a guard and a reset."""

import functools
import itertools
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Key, PyTree

from ._arrays import as_floating as as_floating, is_traced as is_traced
from ._moved import renamed
from ._require import floating, function, instance, key as one_key

Scalar = Float[Array, ""]
Time = Float[ArrayLike, ""]


def as_parameter(value: Any, name: str = "parameter", *, real: bool = True) -> Array:
    """`value` as a floating array of definite type, so that a number is dynamic under `jit`.

    **Raises:** `ValueError` with the name where it holds no numbers, complex ones (if `real`), or
    a finite one beyond the type.
    """
    value = floating(name, value, real=real)
    return jnp.asarray(value, value.dtype)


class _Converter:
    """Converter of a field that holds a parameter; the class that has the field gives the name."""

    def __init__(self, optional: bool, real: bool):
        self.optional, self.real, self.name = optional, real, "parameter"

    def __call__(self, value: ArrayLike | Any) -> Any:
        if value is None and self.optional:
            return None
        return as_parameter(value, self.name, real=self.real)


def parameter(
    default: Any = None,
    *,
    positive: bool = False,
    nonnegative: bool = False,
    optional: bool = False,
    real: bool = True,
) -> Any:
    """A field of a module that holds a parameter: an array, checked for its range, or, where it is
    `optional`, `None`; not `real`: complex numbers too.

    NaN is refused always, and values outside the stated range: by name where values are known,
    as `RESULTS.bad_parameter` of the solve where they are traced.
    """
    metadata = {"positive": positive, "nonnegative": nonnegative}
    extra: dict[str, Any] = {} if default is None and not optional else {"default": default}
    return eqx.field(converter=_Converter(optional, real), metadata=metadata, **extra)


def _modules(tree: PyTree) -> Iterator[eqx.Module]:
    """Every module in `tree`, outermost first."""
    for node in jax.tree.leaves(tree, is_leaf=lambda x: isinstance(x, eqx.Module)):
        if isinstance(node, eqx.Module):
            yield node
            for name in node.__dataclass_fields__:
                yield from _modules(getattr(node, name, None))


def _own_faults(module: eqx.Module) -> Iterator[tuple[str, str, Bool[Array, ""]]]:
    for name, field in module.__dataclass_fields__.items():
        if "positive" not in field.metadata:
            continue
        value = getattr(module, name)
        if not isinstance(value, jax.Array):  # a placeholder of a transformation
            continue
        wrong, what = jnp.isnan(value), "must not be NaN"
        if field.metadata["positive"]:
            wrong, what = ~(value > 0), "must be positive"
        elif field.metadata["nonnegative"]:
            wrong, what = ~(value >= 0), "must not be negative or NaN"
        yield f"{type(module).__name__}.{name}", what, wrong.any()


def check_parameters(module: eqx.Module) -> None:
    """Raise `ValueError`, naming the field, if a parameter whose value is known is out of range."""
    for name, what, wrong in _own_faults(module):
        if not is_traced(wrong) and bool(wrong):
            value = np.asarray(getattr(module, name.split(".")[1]))
            outside = value[~(value > 0)] if "positive" in what else value[~(value >= 0)]
            worst = outside.flat[0] if outside.size else math.nan
            raise ValueError(f"{name} {what}, got {worst}. Pass a value in that range.")


def bad_parameters(system: PyTree) -> Bool[Array, ""]:
    """Whether any parameter in `system`, known or traced, is out of its range.

    **Raises:** `ValueError` naming the field where the value is known.
    """
    bad = jnp.array(False)
    for module in _modules(system):
        check_parameters(module)
        for _, _, wrong in _own_faults(module):
            bad = bad | wrong
    return bad


class Module(eqx.Module):
    """A module whose fields are checked when it is made: parameters, keys, functions, modules."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, field in vars(cls).items():
            converter = getattr(field, "metadata", {}).get("converter")
            if isinstance(converter, _Converter):
                converter.name = f"{cls.__name__}.{name}"

    def __check_init__(self) -> None:
        check_kinds(self)
        check_parameters(self)


def check_kinds(module: eqx.Module) -> None:
    """Refuse by name fields that are not of their kind: keys, functions, modules, numbers."""
    for name, kind in _kinds(type(module)).items():
        _check_kind(f"{type(module).__name__}.{name}", getattr(module, name), kind)


@functools.cache
def _kinds(cls: type) -> dict[str, Any]:
    """The type of each field of a module."""
    fields = {name: field.type for name, field in cls.__dataclass_fields__.items()}  # pyright: ignore
    if any(isinstance(kind, str) for kind in fields.values()):
        hints = get_type_hints(cls)
        return {name: hints[name] for name in fields}
    return fields


def _check_kind(name: str, value: Any, kind: Any) -> None:
    """Refuse by name what is not of the kind of its field: one number, a key, a function, a module;
    of other kinds all is taken."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if value is None and (NoneType in kinds or Any in kinds):
        return
    first = kinds[0]
    if getattr(first, "dim_str", None) == "":
        if first.dtype is Key:
            one_key(name, value)
        elif isinstance(value, jax.Array) and value.ndim:
            raise ValueError(f"{name} must be one number, got shape {value.shape}.")
    elif first is int and value is None:
        raise ValueError(f"{name} must be a whole number, got None.")
    elif first is Callable or get_origin(first) is Callable:
        function(name, value)
    elif isinstance(first, type) and issubclass(first, eqx.Module):
        instance(name, value, first)


class AbstractSystem(Module):
    """Dynamical system: a flow `dy/dt = f(t, y, args)`; `args` is the drive (a current, a query),
    any pytree."""

    @abstractmethod
    def vector_field(self, t: Time, y: PyTree, args: PyTree) -> PyTree:
        """Vector field: the rate of change of `y`, in the structure of `y`."""

    def noise(self, t: Time, y: PyTree, args: PyTree) -> PyTree | None:
        """Hook: the diagonal amplitude of white noise in the structure of `y`, or `None`."""
        return None


def _potential_first(y: PyTree) -> tuple[Array, list[Array], Any]:
    """The first leaf of a state of neurons, the others, and its structure."""
    if isinstance(y, dict):
        raise ValueError(
            "y0: the neurons' state is a dict, whose order is that of its keys; use a NamedTuple "
            "with the potential first."
        )
    (v, *others), treedef = jax.tree.flatten(y)
    return v, others, treedef


class AbstractSpikingSystem(AbstractSystem):
    """Spiking system: a flow that jumps when an entry of its guard rises through zero.

    A population carries its neurons on the last axis of every state leaf.
    """

    @abstractmethod
    def guard(self, t: Time, y: PyTree, args: PyTree) -> Float[Array, "*n"]:
        """Guard: how far each neuron is past its threshold; negative means not yet crossed."""

    @abstractmethod
    def reset(self, t: Time, y: PyTree, args: PyTree, fired: Bool[Array, "*n"]) -> PyTree:
        """Reset: the state after the guards marked in `fired` crossed; the others unchanged.

        It must not test the threshold again: `fired` says it.
        """

    def kick(self, t: Time, y: PyTree, args: PyTree, spikes: Float[Array, "*n"]) -> PyTree | None:
        """Hook: what `spikes` add to the state, linear in them; `None` means no coupling.

        In `y` those that fired are reset already.
        """
        return None

    def inputs(self) -> tuple[PyTree, ...]:
        """Hook: the sources of events that reach the system, of `bpcjax.inputs` (default: none)."""
        return ()

    def arrive(self, t: Time, y: PyTree, args: PyTree, arrivals: tuple[Array, ...]) -> PyTree:
        """Hook: what arrivals from each of the inputs add to the state, linear in them.

        **Raises:** `NotImplementedError` where a system has inputs and does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} has inputs: it must define arrive.")

    def potential(self, y: PyTree) -> Float[Array, "*n"]:
        """Hook: the potential of each neuron (default: the first leaf of the state).

        **Raises:** `ValueError` if the state is a dict, whose leaves have no order of their own.
        """
        return _potential_first(y)[0]

    def push(self, y: PyTree, dv: Float[Array, "*n"]) -> PyTree:
        """Hook: what a jump `dv` of the potential adds to the state; errors as in `potential`."""
        v, others, treedef = _potential_first(y)
        still = [jnp.zeros_like(leaf) for leaf in others]
        return jax.tree.unflatten(treedef, [jnp.broadcast_to(dv, v.shape), *still])

    def hold(self, change: PyTree, active: Float[Array, "*n"]) -> PyTree:
        """Hook: a change of the state with the potential standing still where a neuron is not
        `active` (1; held: 0); errors as in `potential`.
        """
        dv, others, treedef = _potential_first(change)
        return jax.tree.unflatten(treedef, [active * dv, *others])

    def rest(self, shape: tuple[int, ...] = ()) -> PyTree:
        """Hook: the state at rest of neurons in the given shape.

        **Raises:** `NotImplementedError` where a system does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no rest: build its state by hand.")

    def emits(self, y: PyTree, fired: Bool[Array, "*n"]) -> Bool[Array, "*n"]:
        """Hook: which of the guards that crossed are spikes (default: all of them)."""
        return fired

    def whole_steps(self, y: PyTree, h: Scalar) -> PyTree:
        """Hook: the state with its clocks set to a whole number of steps `h` where rounding alone
        keeps them from it (default: no clocks). Solvers of whole steps ask after each step.
        """
        return y

    def mark_cut(self, y: PyTree) -> PyTree:
        """Hook: a state out of the middle of a run, marked by `Cut` where spikes may be on their
        way that are not in it (default: none are).
        """
        return y


class Cut(eqx.Module):
    """Mark of a cut state, from which no run can start: spikes on their way are not in it."""


def without_cut(y: PyTree) -> tuple[PyTree, bool]:
    """The state without its marks, and whether there were any."""

    def is_cut(x: Any) -> bool:
        return isinstance(x, Cut)

    marked = any(map(is_cut, jax.tree.leaves(y, is_leaf=is_cut)))
    return jax.tree.map(lambda x: None if is_cut(x) else x, y, is_leaf=is_cut), marked


class AbstractKeyed(AbstractSpikingSystem):
    """System with random draws; an unset `key` is filled by that of `simulate`."""

    key: eqx.AbstractVar[Key[Array, ""] | Any | None]


def fill_keys(system: PyTree, key: Key[Array, ""] | Any | None) -> PyTree:
    """`system` with every unset key in it drawn from `key`, by its place."""
    if key is None:
        return system

    place = itertools.count()

    def fill(node):
        if not (isinstance(node, AbstractKeyed) and node.key is None):
            return node
        own = jax.random.fold_in(key, next(place))
        node = eqx.tree_at(lambda node: node.key, node, own, is_leaf=lambda x: x is None)
        return jax.tree.map(fill, node, is_leaf=lambda x: x is not node and is_open(x))

    def is_open(x):
        return isinstance(x, AbstractKeyed) and x.key is None

    return jax.tree.map(fill, system, is_leaf=is_open)


Drive = PyTree  # of arrays, and of functions of t that give them


def drive_at(t: Time | Float[Array, "*n"], args: Drive) -> PyTree:
    """The drive at time `t`: every callable leaf of `args` evaluated there."""
    return jax.tree.map(lambda leaf: leaf(t) if callable(leaf) else leaf, args, is_leaf=callable)


def varies(args: Drive) -> bool:
    """Whether some leaf of the drive is a function of time."""
    return any(callable(leaf) for leaf in jax.tree.leaves(args, is_leaf=callable))


__getattr__ = renamed(
    __name__, {"bind": "bpcjax.views.bind", "DrivenSpiking": "bpcjax.views.DrivenSpiking"}
)
