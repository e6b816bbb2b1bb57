"""Locality certificate: a proof, from a rule's own equations, that a synapse needs nothing but what
it has.

`certificate` follows every input element through the program of an update (`dependence`) and
compares what each output element can depend on with what its owner may know: the synapse from j to
i the state of neuron j, the state of neuron i and its own; at a time t nothing of a later time.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from ..._require import function, instance
from .dependence import Interpreter, Known
from .owners import (
    Elsewhere,
    Owner,
    Post,
    Pre,
    Shared,
    Synapse,
    flat,
    names_of,
    of_arrays,
    spread,
    with_arrays,
)

NOWHERE = -1
SYNAPSE = Synapse()


class Dependency(NamedTuple):
    """Offending dependency: an output element that depends on an input element it should not know.

    `derivative` is the derivative at the example: not zero, it *proves* the offence; zero or NaN
    (numbers without derivatives), the dependency is in the program but without effect at the
    example.
    """

    output: str
    at: tuple[int, ...]
    input: str
    of: tuple[int, ...]
    derivative: float


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Locality certificate of a rule: `nonlocal_` and `noncausal` are the offences, `shared` the
    names of the shared signals that are used, `opaque` the operations that were not understood and
    so taken to mix everything."""

    nonlocal_: tuple[Dependency, ...]
    noncausal: tuple[Dependency, ...]
    shared: tuple[str, ...]
    opaque: tuple[str, ...]

    @property
    def local(self) -> bool:
        """Whether every output needs only what its owner has. True is a proof."""
        return not self.nonlocal_

    @property
    def causal(self) -> bool:
        """Whether no output depends on a later input. True is a proof."""
        return not self.noncausal

    def __str__(self) -> str:
        lines = [f"local: {self.local}, causal: {self.causal}"]
        if self.shared:
            lines.append("shared signals: " + ", ".join(self.shared))
        if self.opaque:
            lines.append("taken to mix everything: " + ", ".join(self.opaque))
        for kind, dependencies in (("not local", self.nonlocal_), ("not causal", self.noncausal)):
            for d in dependencies[:5]:
                at, of = list(d.at), list(d.of)
                slope = f"(derivative {d.derivative:.3g})"
                lines.append(f"{kind}: {d.output}{at} depends on {d.input}{of} {slope}")
            if len(dependencies) > 5:
                lines.append(f"{kind}: {len(dependencies) - 5} more")
        return "\n".join(lines)


def certificate(
    rule: Callable[..., PyTree],
    args: tuple[PyTree, ...],
    owners: tuple[PyTree, ...],
    outputs: PyTree = SYNAPSE,
) -> Certificate:
    """Locality certificate: what `rule(*args)` depends on, element by element, against what owners
    may know.

    `owners` says for every argument (or, as a prefix, for each part of it) whose its numbers are:
    `Pre`, `Post`, `Synapse`, `Shared` or `Elsewhere`; `outputs` says the same of the result. An
    output of the synapse (i, j) may depend on `Pre` j, `Post` i and `Synapse` (i, j); one of a
    neuron on that neuron's numbers; all on `Shared`. Where owners of an output and an input have a
    `time` axis, the output at t may depend on inputs at times up to t.

    **What is proven.** Dependency is followed through the program that JAX traces, through branches
    and loops, `stop_gradient`, comparisons and integers: not a derivative at a point, but the
    flow of information for all finite values of these shapes. An operation that is not understood
    counts as mixing everything, so True cannot come from ignorance. **What is not.** Terms that
    cancel (`x - x`) count as a dependency, so False is a suspicion; it is a fact where an offence's
    `derivative`, taken at `args`, is not zero. A product with a constant zero is taken to be zero
    (no NaN). Numbers the rule closes over are constants, not signals. Take different numbers of
    pre- and postsynaptic neurons: it shows swapped axes.

    **Raises:** `ValueError` if owners do not fit the arguments, or name axes that are not there.
    """
    function("rule", rule)
    instance("args", args, tuple)
    leaves, labels = flat(args, names_of(rule, len(args)))
    whose = spread(owners, args, "owners")
    program, dynamic = of_arrays(rule, args)
    arrays = [jnp.asarray(leaves[k]) for k in dynamic]
    shape = jax.eval_shape(rule, *with_arrays(args))
    out_labels = [jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_leaves_with_path(shape)]
    out_whose = spread(outputs, shape, "outputs")
    jaxpr = jax.make_jaxpr(program)(*arrays)
    total = sum(x.size for x in arrays)
    interpreter = Interpreter(total)
    inputs, start = [], 0
    for x in arrays:
        deps = np.zeros((x.size, total), bool)
        deps[np.arange(x.size), start + np.arange(x.size)] = True
        inputs.append(Known(deps.reshape(*x.shape, total), None))
        start += x.size
    influence = interpreter.closed(jaxpr, inputs)

    slopes = _slopes(program, arrays)
    parts = [
        _Part(labels[k], x.shape, _indices(whose[k], x.shape, labels[k]))
        for k, x in zip(dynamic, arrays, strict=True)
    ]
    bad: dict[str, list[Dependency]] = {"local": [], "causal": []}
    used: set[str] = set()
    for o, (label, owner, dependence) in enumerate(
        zip(out_labels, out_whose, influence, strict=True)
    ):
        out = _Part(f"update{label}", dependence.deps.shape[:-1],
                    _indices(owner, dependence.deps.shape[:-1], label))  # fmt: skip
        split = np.split(
            dependence.deps.reshape(-1, total), np.cumsum([x.size for x in arrays])[:-1], 1
        )
        for i, (part, deps) in enumerate(zip(parts, split, strict=True)):
            if isinstance(whose[dynamic[i]], Shared) and deps.any():
                used.add(part.name)
            for kind, wrong in (("local", _stranger), ("causal", _later)):
                for row, column in zip(
                    *np.nonzero(deps & wrong(out.index, part.index)), strict=True
                ):
                    at = tuple(int(a) for a in np.unravel_index(row, out.shape))
                    of = tuple(int(a) for a in np.unravel_index(column, part.shape))
                    slope = float(slopes(o, i)[row, column])
                    bad[kind].append(Dependency(out.name, at, part.name, of, slope))
    return Certificate(
        tuple(bad["local"]), tuple(bad["causal"]), tuple(sorted(used)),
        tuple(sorted(interpreter.opaque)),
    )  # fmt: skip


class _Index(NamedTuple):
    """Of each element, flattened: whether it is hidden from all or shown to all, and its
    neurons and its time (NOWHERE if it has none)."""

    hidden: bool
    shared: bool
    post: np.ndarray
    pre: np.ndarray
    time: np.ndarray


class _Part(NamedTuple):
    name: str
    shape: tuple[int, ...]
    index: _Index


def _indices(owner: Owner, shape: tuple[int, ...], name: str) -> _Index:
    grid = np.indices(shape).reshape(len(shape), -1) if shape else np.zeros((0, 1), int)

    def along(axis: int | None) -> np.ndarray:
        if axis is None:
            return np.full(grid.shape[1], NOWHERE)
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"{name or 'output'}: {owner} names an axis that shape {shape} lacks.")
        return grid[axis]

    post = owner.post if isinstance(owner, Synapse) else None
    pre = owner.pre if isinstance(owner, Synapse) else None
    if isinstance(owner, Post):
        post = owner.axis
    if isinstance(owner, Pre):
        pre = owner.axis
    return _Index(
        isinstance(owner, Elsewhere), isinstance(owner, Shared), along(post), along(pre),
        along(owner.time),
    )  # fmt: skip


def _stranger(out: _Index, source: _Index) -> np.ndarray:
    """Mask [outputs, inputs] of the inputs to which an output's owner has no access."""
    if source.shared or out.hidden:
        return np.zeros((len(out.pre), len(source.pre)), bool)
    if source.hidden or out.shared:
        return np.ones((len(out.pre), len(source.pre)), bool)

    def differs(mine, other):
        return (other[None] != NOWHERE) & (mine[:, None] != other[None])

    return differs(out.post, source.post) | differs(out.pre, source.pre)


def _later(out: _Index, source: _Index) -> np.ndarray:
    timed = (out.time[:, None] != NOWHERE) & (source.time[None] != NOWHERE)
    return timed & (source.time[None] > out.time[:, None])


def _slopes(program: Callable, arrays: list[Any]) -> Callable[[int, int], np.ndarray]:
    """The Jacobian of output o in input i as a matrix, computed once when it is asked for."""
    shapes = [x.shape for x in jax.eval_shape(program, *arrays)]
    done: dict[int, list[Any]] = {}

    def slopes(o: int, i: int) -> np.ndarray:
        if i not in done:
            real = jnp.issubdtype(arrays[i].dtype, jnp.floating)
            done[i] = jax.jacfwd(program, argnums=i)(*arrays) if real else [None] * len(shapes)
        block, size = done[i][o], (int(np.prod(shapes[o])), arrays[i].size)
        return np.full(size, np.nan) if block is None else np.asarray(block).reshape(size)

    return slopes
