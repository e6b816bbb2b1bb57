"""Owners of the numbers that a synapse may know, and how they are said of the arguments of a
program."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from ..._require import instance, integer


def check_axes(owner: Any) -> None:
    """Refuse by name axes that are no whole numbers, and names that are none."""
    for field in dataclasses.fields(owner):
        value = getattr(owner, field.name)
        if field.type is str:
            instance(field.name, value, str)
        elif value is not None or field.name != "time":
            integer(field.name, value)


@dataclasses.dataclass(frozen=True)
class Pre:
    """Owner of presynaptic numbers: `axis` counts the neurons, `time` (if any) the steps; the
    numbers along all other axes (a batch) are the neuron's own."""

    axis: int = -1
    time: int | None = None

    def __post_init__(self) -> None:
        check_axes(self)


@dataclasses.dataclass(frozen=True)
class Post:
    """Owner of postsynaptic numbers, as `Pre`."""

    axis: int = -1
    time: int | None = None

    def __post_init__(self) -> None:
        check_axes(self)


@dataclasses.dataclass(frozen=True)
class Synapse:
    """Owner of synaptic numbers: the axes `post` and `pre` count their neurons."""

    post: int = -2
    pre: int = -1
    time: int | None = None

    def __post_init__(self) -> None:
        check_axes(self)


@dataclasses.dataclass(frozen=True)
class Shared:
    """Owner of a shared signal, which all synapses may know: a rate, a clock, a key, a reward."""

    time: int | None = None


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """Owner of foreign numbers, which no synapse of this layer may know: other layers, labels, a
    loss."""

    time: int | None = None


Owner = Pre | Post | Synapse | Shared | Elsewhere


def names_of(rule: Callable, count: int) -> list[str]:
    """The names of a rule's arguments, or their numbers."""
    try:
        names = list(inspect.signature(rule).parameters)
    except (TypeError, ValueError):
        names = []
    return names if len(names) == count else [f"argument {k}" for k in range(count)]


def flat(args: tuple[PyTree, ...], names: list[str]) -> tuple[list[Any], list[str]]:
    """The leaves of all arguments, and their labels."""
    leaves, labels = [], []
    for name, arg in zip(names, args, strict=True):
        for path, leaf in jax.tree_util.tree_leaves_with_path(arg):
            leaves.append(leaf)
            labels.append(name + jax.tree_util.keystr(path))
    return leaves, labels


def with_arrays(args: PyTree) -> PyTree:
    """Arguments with arrays in place of numbers."""
    return jax.tree.map(lambda x: jnp.asarray(x) if eqx.is_array_like(x) else x, args)


def of_arrays(rule: Callable, args: tuple[PyTree, ...]) -> tuple[Callable, list[int]]:
    """A rule as a function of its arrays alone, which gives the leaves of its result; and the
    numbers of the leaves that these are."""
    leaves, structure = jax.tree.flatten(args)
    dynamic = [k for k, x in enumerate(leaves) if eqx.is_array_like(x)]

    def function(*arrays):
        every = list(leaves)
        for k, x in zip(dynamic, arrays, strict=True):
            every[k] = x
        return jax.tree.leaves(rule(*jax.tree.unflatten(structure, every)))

    return function, dynamic


def spread(owners: PyTree, tree: PyTree, name: str, kinds: Any = Owner) -> list[Any]:
    """The owner of every leaf of `tree`.

    **Raises:** `ValueError` where owners, a prefix of it, do not fit, or are none of the `kinds`.
    """
    is_owner = lambda x: isinstance(x, kinds)  # noqa: E731
    words = " or ".join(", ".join(kind.__name__ for kind in kinds.__args__).rsplit(", ", 1))
    try:
        full = jax.tree.map(
            lambda owner, part: jax.tree.map(lambda _: owner, part), owners, tree, is_leaf=is_owner
        )
    except ValueError as error:
        why = str(error).splitlines()[0][:200]
        raise ValueError(
            f"{name} must be a prefix of what they own (args), with {words} at its leaves: {why}"
        ) from error
    leaves = jax.tree.leaves(full, is_leaf=is_owner)
    if not all(is_owner(x) for x in leaves):
        raise ValueError(f"{name} must have {words} at its leaves.")
    return leaves
