"""Dependence analysis of a program: for each number, the set of inputs that it can depend on.

An abstract interpreter of jaxprs. Every value carries, for each of its elements, the set of input
elements that it may depend on, and its value where no input enters. Sets only grow by mistake:
an equation that is not understood makes all its outputs depend on all of its inputs.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

ELEMENTWISE = frozenset(
    "abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt "
    "ceil clamp clz complex conj convert_element_type copy copy_p cos cosh digamma div eq "
    "erf erf_inv erfc exp exp2 expm1 floor ge gt igamma igammac imag integer_pow is_finite "
    "le lgamma log log1p logistic lt max min mul ne neg nextafter not or polygamma "
    "population_count pow random_gamma_grad real reduce_precision "
    "regularized_incomplete_beta rem round rsqrt select_n shift_left shift_right_arithmetic "
    "shift_right_logical sign sin sinh sqrt square stop_gradient sub tan tanh xor zeta".split()
)
REDUCE = frozenset(
    "reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or reduce_xor argmax "
    "argmin".split()
)
RUNNING = frozenset("cumsum cumprod cummax cummin cumlogsumexp".split())
# Equations that only move elements, and how many first operands they move: the others say where.
MOVES = {
    "broadcast_in_dim": 1, "reshape": 1, "transpose": 1, "squeeze": 1, "expand_dims": 1,
    "slice": 1, "rev": 1, "concatenate": None, "stack": None, "pad": None, "split": 1, "gather": 1,
    "dynamic_slice": 1, "dynamic_update_slice": 2, "tile": 1,
}  # fmt: skip
LINEAR = frozenset({"dot_general", "conv_general_dilated"})  # in each operand, with weights of +1
MOST_STEPS = 10_000  # of a loop whose end is known


class Known(NamedTuple):
    """Abstract array of the interpreter: `deps` [*shape, inputs], and its `value` or None."""

    deps: np.ndarray
    value: Any


def constant(value: Any, inputs: int) -> Known:
    """Abstract constant: a number that depends on no input."""
    return Known(np.zeros((*np.shape(value), inputs), bool), value)


class Interpreter:
    """Abstract interpreter: carries sets of `inputs` through equations; `opaque` names those it did
    not understand."""

    def __init__(self, inputs: int):
        self.inputs = inputs
        self.opaque: set[str] = set()

    def run(self, jaxpr, consts, args: list[Known]) -> list[Known]:
        """Interpret an open jaxpr: its outputs for the inputs `args`."""
        env: dict[Any, Known] = {}
        env.update(zip(jaxpr.constvars, (constant(c, self.inputs) for c in consts), strict=True))
        env.update(zip(jaxpr.invars, args, strict=True))

        def read(atom):
            if isinstance(atom, core.Literal):
                return constant(atom.val, self.inputs)
            return env[atom]

        for eqn in jaxpr.eqns:
            outputs = self.equation(eqn, [read(atom) for atom in eqn.invars])
            env.update(zip(eqn.outvars, outputs, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def closed(self, jaxpr, args: list[Known]) -> list[Known]:
        return self.run(jaxpr.jaxpr, jaxpr.consts, args)

    def equation(self, eqn, args: list[Known]) -> list[Known]:
        name, params = eqn.primitive.name, eqn.params
        if name == "scan":
            return self.scan(params, args)
        if name == "while":
            return self.loop(params, args)
        if name == "cond":
            return self.branch(params, args)
        inner = next((params[k] for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if k in params), None)
        if inner is not None:
            open_jaxpr = getattr(inner, "jaxpr", inner)
            if len(open_jaxpr.invars) == len(args) and len(open_jaxpr.outvars) == len(eqn.outvars):
                return self.run(open_jaxpr, getattr(inner, "consts", ()), args)
        elif all(a.value is not None for a in args):
            out = eqn.primitive.bind(*(a.value for a in args), **params)
            out = out if eqn.primitive.multiple_results else [out]
            return [constant(x, self.inputs) for x in out]
        if name == "optimization_barrier":
            return args
        deps = self.rule(name, eqn, args)
        if deps is None:
            self.opaque.add(name)
            return self.everything(args, [v.aval.shape for v in eqn.outvars])
        return [Known(d, None) for d in deps]

    def everything(self, args: list[Known], shapes) -> list[Known]:
        union = self.union(*args)
        return [Known(np.broadcast_to(union, (*s, self.inputs)), None) for s in shapes]

    def union(self, *args: Known) -> np.ndarray:
        deps = np.zeros(self.inputs, bool)
        for arg in args:
            deps = deps | arg.deps.reshape(-1, self.inputs).any(axis=0)
        return deps

    def rule(self, name: str, eqn, args: list[Known]) -> list[Any] | None:
        params, shape = eqn.params, eqn.outvars[0].aval.shape
        if name == "select_n" and args[0].value is not None:
            which = np.asarray(args[0].value).astype(int)
            which = np.broadcast_to(which, shape)[..., None]
            return [np.choose(which, [a.deps for a in args[1:]])]
        if name == "mul":
            return [_elementwise([_killed(a, b) for a, b in (args, args[::-1])], shape)]
        if name in ELEMENTWISE:
            return [_elementwise([a.deps for a in args], shape)]
        if name in REDUCE:
            return [args[0].deps.any(axis=tuple(params["axes"]))]
        if name in RUNNING:
            deps, axis = args[0].deps, params["axis"]
            back = slice(None, None, -1 if params["reverse"] else 1)
            deps = np.moveaxis(deps, axis, 0)[back]
            return [np.moveaxis(np.logical_or.accumulate(deps, axis=0)[back], 0, axis)]
        if name in ("sort", "top_k"):
            axis = params["dimension"] if name == "sort" else params.get("axis", -1) % len(shape)
            deps = np.logical_or.reduce([a.deps.any(axis=axis, keepdims=True) for a in args])
            return [np.broadcast_to(deps, (*v.aval.shape, self.inputs)) for v in eqn.outvars]
        if name in MOVES:
            return self.moved(eqn, args)
        if name in LINEAR:
            return [self.linear(eqn, args)]
        if name in ("scatter", "scatter-add", "scatter_add") and args[1].value is not None:
            return [self.scattered(name, params, args)]
        return None

    def moved(self, eqn, args: list[Known]) -> list[np.ndarray] | None:
        """Index operations: the equation itself, on the places of elements in place of the
        elements."""
        count = MOVES[eqn.primitive.name]
        count = len(args) if count is None else count
        if any(a.value is None for a in args[count:]):
            return None
        flat = [a.deps.reshape(-1, self.inputs) for a in args[:count]]
        ends = np.cumsum([len(f) for f in flat])
        places = [
            jnp.arange(end - len(f), end).reshape(a.deps.shape[:-1])
            for f, end, a in zip(flat, ends, args, strict=False)
        ]
        out = eqn.primitive.bind(*places, *(a.value for a in args[count:]), **eqn.params)
        out = out if eqn.primitive.multiple_results else [out]
        deps = np.concatenate([*flat, np.zeros((1, self.inputs), bool)])
        # Elements from nowhere, as of a gather out of range, have a negative or too large place.
        sources = [np.asarray(o) for o in out]
        inside = [(s >= 0) & (s < ends[-1]) for s in sources]
        return [deps[np.where(i, s, ends[-1])] for s, i in zip(sources, inside, strict=True)]

    def linear(self, eqn, args: list[Known]) -> np.ndarray:
        """Products summed: an element enters where its partner is not constant zero."""

        def some(arg):
            if arg.value is None:
                return jnp.ones(arg.deps.shape[:-1])
            return (jnp.asarray(arg.value) != 0).astype(float)

        params = dict(eqn.params, preferred_element_type=None)
        params = {k: None if k == "out_sharding" else v for k, v in params.items()}
        total = 0.0
        for k in (0, 1):
            if not args[k].deps.any():
                continue

            def product(part, k=k):
                other = some(args[1 - k])
                pair = (part, other) if k == 0 else (other, part)
                return eqn.primitive.bind(*pair, **params)

            parts = jnp.asarray(args[k].deps, float)
            total = total + np.asarray(jax.vmap(product, in_axes=-1, out_axes=-1)(parts))
        return np.asarray(total) > 0.5

    def scattered(self, name: str, params, args: list[Known]) -> np.ndarray:
        operand, where, new = args
        how = {k: params[k] for k in ("dimension_numbers", "indices_are_sorted", "mode")}
        if name == "scatter":
            first = operand.deps[..., 0].size
            places = [
                jnp.arange(first).reshape(operand.deps.shape[:-1]),
                first + jnp.arange(new.deps[..., 0].size).reshape(new.deps.shape[:-1]),
            ]
            out = jax.lax.scatter(places[0], jnp.asarray(where.value), places[1], **how)
            both = [a.deps.reshape(-1, self.inputs) for a in (operand, new)]
            return np.concatenate(both)[np.asarray(out)]

        def add(old, part):
            return jax.lax.scatter_add(old, jnp.asarray(where.value), part, **how)

        parts = jnp.asarray(operand.deps, float), jnp.asarray(new.deps, float)
        return np.asarray(jax.vmap(add, in_axes=-1, out_axes=-1)(*parts)) > 0.5

    def scan(self, params, args: list[Known]) -> list[Known]:
        """Every step in turn, so that a step depends on no later one unless it does."""
        first, last = params["num_consts"], params["num_consts"] + params["num_carry"]
        consts, carry, xs = args[:first], args[first:last], args[last:]
        length = params["length"]
        steps: list[list[Known]] = [[] for _ in range(length)]
        for t in range(length)[:: -1 if params["reverse"] else 1]:
            now = [Known(x.deps[t], None if x.value is None else x.value[t]) for x in xs]
            out = self.closed(params["jaxpr"], [*consts, *carry, *now])
            carry, steps[t] = out[: len(carry)], out[len(carry) :]
        bodies = params["jaxpr"].out_avals[len(carry) :]
        stacked = []
        for k, aval in enumerate(bodies):
            shape = (length, *aval.shape, self.inputs)
            deps = np.array([s[k].deps for s in steps], bool).reshape(shape)
            whole = length and all(s[k].value is not None for s in steps)
            stacked.append(Known(deps, jnp.stack([s[k].value for s in steps]) if whole else None))
        return [*carry, *stacked]

    def loop(self, params, args: list[Known]) -> list[Known]:
        """A while loop: step by step while its condition is known, then to where sets rest."""
        first = params["cond_nconsts"]
        last = first + params["body_nconsts"]
        tested, used, carry = args[:first], args[first:last], args[last:]
        for _ in range(MOST_STEPS):
            (going,) = self.closed(params["cond_jaxpr"], [*tested, *carry])
            if going.value is None:
                break
            if not bool(going.value):
                return carry
            carry = self.closed(params["body_jaxpr"], [*used, *carry])
        while True:
            (going,) = self.closed(params["cond_jaxpr"], [*tested, *carry])
            body = self.closed(params["body_jaxpr"], [*used, *carry])
            stop = self.union(going)
            # How often it runs decides on all of the outcome, changed or not.
            new = [
                Known(a.deps | b.deps | stop, _agreed(a, b))
                for a, b in zip(carry, body, strict=True)
            ]
            same = all((a.deps == b.deps).all() for a, b in zip(carry, new, strict=True))
            settled = all(
                (a.value is None) == (b.value is None) for a, b in zip(carry, new, strict=True)
            )
            carry = new
            if same and settled:
                return [Known(c.deps, None) for c in carry] if stop.any() else carry

    def branch(self, params, args: list[Known]) -> list[Known]:
        index, operands = args[0], args[1:]
        branches = params["branches"]
        if index.value is not None:
            return self.closed(branches[int(np.clip(index.value, 0, len(branches) - 1))], operands)
        outcomes = [self.closed(branch, operands) for branch in branches]
        which = self.union(index)
        return [Known(np.logical_or.reduce([o.deps for o in outs]) | which, None)
                for outs in zip(*outcomes, strict=True)]  # fmt: skip


def _killed(one: Known, other: Known) -> np.ndarray:
    """What `one` brings to a product: nothing where the other factor is known to be zero."""
    if other.value is None:
        return one.deps
    return one.deps & (np.asarray(other.value) != 0)[..., None]


def _elementwise(deps: list[np.ndarray], shape) -> np.ndarray:
    union = np.zeros((*shape, deps[0].shape[-1]), bool)
    for one in deps:
        union |= one
    return union


def _agreed(one: Known, other: Known) -> Any:
    if one.value is None or other.value is None:
        return None
    return one.value if np.array_equal(np.asarray(one.value), np.asarray(other.value)) else None
