"""Walk over a program that keeps track of where its numbers live: jaxprs on located arrays.

What is not understood is refused: a `Fault`, unless it touches no neuron's and no synapse's number.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from .dependence import ELEMENTWISE, REDUCE, RUNNING
from .events import Fault, Site
from .located import Index, Located, arranged, everywhere, factors, joined, reshaped, spread
from .messages import gathered, product
from .moves import MOVES, moved

_CALLS = frozenset(
    "jit pjit closed_call core_call custom_jvp_call custom_vjp_call custom_vjp_call_jaxpr remat "
    "remat2 checkpoint".split()
)
_EACH = ELEMENTWISE | {"threefry2x32", "bitcast_convert_type", "random_fold_in", "pvary"}
_FRESH = frozenset({"random_bits", "random_split", "random_unwrap"})
_MIXING = frozenset("sort top_k rev gather scatter scatter-add".split()) | RUNNING
_CLOSED = "is closed over: pass it as an argument, and say whose it is"


class Walk:
    """Interpreter of jaxprs on located arrays. `site` is where it is: the number of the equation,
    after those of the calls around it."""

    def __init__(self):
        self.site: Site = ()

    def closed(self, jaxpr: Any, args: Sequence[Located]) -> list[Located]:
        """The outputs of a closed jaxpr."""
        return self.run(jaxpr.jaxpr, jaxpr.consts, args)

    def run(self, jaxpr: Any, consts: Sequence[Any], args: Sequence[Located]) -> list[Located]:
        """The outputs of an open jaxpr."""
        env: dict[Any, Located] = {}
        env.update(zip(jaxpr.constvars, map(_constant, consts), strict=True))
        env.update(zip(jaxpr.invars, args, strict=True))

        def read(atom):
            return _constant(atom.val) if isinstance(atom, core.Literal) else env[atom]

        around = self.site
        for number, eqn in enumerate(jaxpr.eqns):
            self.site = (*around, number)
            outputs = self.equation(eqn, [read(atom) for atom in eqn.invars])
            env.update(zip(eqn.outvars, outputs, strict=True))
        self.site = around
        return [read(atom) for atom in jaxpr.outvars]

    def equation(self, eqn: Any, args: list[Located]) -> list[Located]:
        """The outputs of one equation."""
        name, params = eqn.primitive.name, eqn.params
        shapes = [v.aval.shape for v in eqn.outvars]
        if name in _CALLS:
            inner = next(params[k] for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if k in params)
            return self.run(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), args)
        if name == "optimization_barrier":
            return args
        if name == "cond":
            return self.branch(params, args)
        if name == "while":
            return self.loop(params, args)
        if name == "scan" and not any(
            x.counts_neurons(0) for x in args[params["num_consts"] + params["num_carry"] :]
        ):
            return self.scan(params, args)
        out = self.rule(name, params, args, shapes)
        if out is not None:
            return out
        if not any(a.populations or a.weights for a in args):
            return _public(args, shapes)
        return _refused(name, args, shapes)

    def rule(self, name: str, params: dict, args: list[Located], shapes) -> list[Located] | None:
        """The outputs of an equation that moves numbers in a known way."""
        shape = shapes[0]
        if name in _EACH and args and all(_fits(a.shape, shape) for a in args):
            whole = [spread(a, range(len(a.shape)), shape) for a in args]
            return [joined(*whole)] * len(shapes)
        if name in REDUCE:
            return [gathered(args[0], params["axes"], name, self.site)]
        if name == "dot_general":
            sizes = args[0].shape, args[1].shape
            return [product(args[0], args[1], params["dimension_numbers"], sizes, self.site)]
        if name == "broadcast_in_dim":
            return [spread(args[0], tuple(map(int, params["broadcast_dimensions"])), shape)]
        if name in ("reshape", "squeeze", "expand_dims"):
            turned = params.get("dimensions") is not None and name == "reshape"
            out = None if turned else reshaped(args[0], shape)
            return None if out is None else [out]
        if name == "transpose":
            groups = args[0].groups
            return [arranged(args[0], [groups[k] for k in params["permutation"]])]
        if name in _FRESH:  # random numbers are independent: of each place its own
            more = [factors(Index.STRUCTURE, n) for n in shape[len(args[0].axes) :]]
            return [arranged(args[0], [*args[0].groups, *more])]
        if name in MOVES:
            return moved(name, params, args, shapes)
        return None

    def branch(self, params: dict, args: list[Located]) -> list[Located]:
        """Either of the branches, known by what chose it."""
        around, outcomes = self.site, []
        for k, branch in enumerate(params["branches"]):
            self.site = (*around, k)
            outcomes.append(self.closed(branch, args[1:]))
        self.site = around
        return [joined(*outs, args[0]) for outs in zip(*outcomes, strict=True)]

    def scan(self, params: dict, args: list[Located]) -> list[Located]:
        """All steps at once: the carry where it rests."""
        first, last = params["num_consts"], params["num_consts"] + params["num_carry"]
        consts, carry = args[:first], args[first:last]
        now = [arranged(x, x.groups[1:]) for x in args[last:]]
        while True:
            out = self.closed(params["jaxpr"], [*consts, *carry, *now])
            after = [joined(a, b) for a, b in zip(carry, out, strict=False)]
            if after == carry:
                break
            carry = after
        steps = factors(Index.OWN, params["length"])
        return [*carry, *(arranged(y, [steps, *y.groups]) for y in out[len(carry) :])]

    def loop(self, params: dict, args: list[Located]) -> list[Located]:
        """A while loop where it rests: all of it knows what its end depends on."""
        first = params["cond_nconsts"]
        last = first + params["body_nconsts"]
        around, carry = self.site, args[last:]
        while True:
            self.site = (*around, 0)
            (going,) = self.closed(params["cond_jaxpr"], [*args[:first], *carry])
            self.site = (*around, 1)
            out = self.closed(params["body_jaxpr"], [*args[first:last], *carry])
            self.site = around
            after = [joined(a, b, going) for a, b in zip(carry, out, strict=True)]
            if after == carry:
                return carry
            carry = after


def _fits(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether an equation of each number repeats an operand to `whole`."""
    return not shape or (
        len(shape) == len(whole) and all(a in (1, b) for a, b in zip(shape, whole, strict=True))
    )


def _constant(value: Any) -> Located:
    """Number of the program: free if it is one number, else a fault where it is used."""
    shape = np.shape(value)
    if not shape:
        return everywhere(())
    if not jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        numbers = np.asarray(value)
        if numbers.size and (numbers == numbers.flat[0]).all():
            return everywhere(shape)
    fault = Fault(f"an array {value.dtype}{list(shape)}", _CLOSED)
    return everywhere(shape, Index.STRUCTURE).with_events(fault)


def _blended(args: list[Located], shapes, label: Index) -> list[Located]:
    public = frozenset(p for a in args for p in a.public)
    events = frozenset(e for a in args for e in a.events)
    outs = [everywhere(shape, label) for shape in shapes]
    return [dataclasses.replace(o, public=public, events=events) for o in outs]


def _public(args: list[Located], shapes) -> list[Located]:
    """Whatever is made of numbers that all may read, all may read. Where it has places, these are
    not of single neurons."""
    constant = all(a.is_constant for a in args)
    return _blended(args, shapes, Index.STRUCTURE if constant else Index.OWN)


def _refused(name: str, args: list[Located], shapes) -> list[Located]:
    whose = {p for a in args for p in a.populations} | {e.arrow for a in args for e in a.weights}
    what = "takes numbers of one neuron to others" if name in _MIXING else "is not analysed"
    fault = Fault(", ".join(sorted(whose)), f"`{name}` {what}")
    return [o.with_events(fault) for o in _blended(args, shapes, Index.SAME)]
