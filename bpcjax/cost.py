"""Operation counts of a query, and their energy on a named technology, in pJ.

Counts are of the algorithm on hardware that works per operation, not of the solver that simulates
it. Arithmetic and memory traffic are separate: a `Ledger` without a `Memory` prices arithmetic
alone.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from typing import Any

import equinox as eqx
import jax
import numpy as np

from ._moved import renamed
from ._require import count, flag, floating, function, instance, scalar


def _amount(name: str, value: Any) -> Any:
    """A number of operations, not negative, or several: in double precision, as products of short
    integers wrap."""
    array = floating(name, value, least=0)
    if isinstance(value, jax.Array):
        return array
    short = isinstance(value, np.ndarray | np.generic | list | tuple | Fraction | Decimal)
    return np.asarray(value, float)[()] if short else value


def _tally(name: str) -> Callable[[Any], Any]:
    """Converter of a field that holds counts."""
    return lambda value: _amount(name, value)


def _counted(name: str) -> Any:
    return eqx.field(default=0.0, converter=_tally(name))


class Counts(eqx.Module):
    """Operation counts of one query; numbers, or arrays with one entry a query. They
    add up with `+`."""

    synaptic: Any = _counted("synaptic")  # additions of a weight that a spike selects
    macs: Any = _counted("macs")  # multiply-accumulates
    adds: Any = _counted("adds")  # additions and comparisons
    exps: Any = _counted("exps")
    divides: Any = _counted("divides")
    updates: Any = _counted(
        "updates"
    )  # decays of a neuron's state: a multiply-accumulate on a digital unit
    spikes: Any = _counted("spikes")  # sent from neuron to neuron
    words: Any = _counted(
        "words"
    )  # numbers moved between memory and unit: weights once, states both ways

    def __add__(self, other: "Counts") -> "Counts":
        instance("other", other, Counts)
        return jax.tree.map(operator.add, self, other)

    def __mul__(self, times: Any) -> "Counts":
        times = _amount("times", times)
        return jax.tree.map(lambda count: count * times, self)


OPERATIONS = tuple(field.name for field in fields(Counts) if field.name != "words")


@dataclass(frozen=True)
class Technology:
    """Energy of each kind of operation (pJ) on a chip, with its source; `None` is an operation
    without a price."""

    name: str
    source: str
    word: int  # bytes of a weight or a state in memory
    synaptic: float | None  # pJ, as the further ones
    macs: float | None
    adds: float | None
    exps: float | None
    divides: float | None
    updates: float | None
    spikes: float | None = 0.0

    def __post_init__(self) -> None:
        count("word", self.word, 1)
        for name in OPERATIONS:
            if getattr(self, name) is not None:
                scalar(name, getattr(self, name), least=0, finite=True)


@dataclass(frozen=True)
class Memory:
    """Memory level where weights and states are kept: the energy of moving a byte (pJ)."""

    name: str
    byte: float  # pJ
    room: float = math.inf  # bytes

    def __post_init__(self) -> None:
        scalar("byte", self.byte, least=0, finite=True)
        scalar("room", self.room, least=0)


# Horowitz (2014), ISSCC, 10-14, fig. 1.1.9: 64-bit reads at 45 nm; of DRAM's 1.3-2.6 nJ the least.
MEMORIES = (
    Memory("SRAM 8 kB", 10 / 8, 2.0**13),
    Memory("SRAM 32 kB", 20 / 8, 2.0**15),
    Memory("SRAM 1 MB", 100 / 8, 2.0**20),
    Memory("DRAM", 1300 / 8),
)


def smallest_memory(size: float | int) -> Memory:
    """The cheapest memory with room for `size` bytes."""
    size = scalar("size", size, least=0)
    return next(memory for memory in MEMORIES if size <= memory.room)


def _horowitz(name, word, *, multiply, add, accumulate, exp, state):
    """Prices from a multiply, an addition at the width of the products, and one at that of sums.

    Not in the source: an exponential is a polynomial (`exp`, pJ), a division two Newton steps of
    two multiply-accumulates each and a multiply.
    """
    mac = multiply + accumulate
    return Technology(
        name,
        "Horowitz (2014), ISSCC, 10-14: 45 nm, 0.9 V",
        word,
        synaptic=add,
        macs=mac,
        adds=add,
        exps=exp,
        divides=4 * mac + multiply,
        updates=state,
    )


# Exponentials: nine multiply-accumulates of Cephes' expf (three of range reduction, six of the
# polynomial), six at half precision, and for int8 the three 32-bit ones of I-BERT's integer
# exponential (Kim et al. 2021, ICML, arXiv:2101.01321).
FP32 = _horowitz("fp32", 4, multiply=3.7, add=0.9, accumulate=0.9, exp=9 * 4.6, state=4.6)
FP16 = _horowitz("fp16", 2, multiply=1.1, add=0.4, accumulate=0.4, exp=6 * 1.5, state=1.5)
# 8-bit weights and products, sums and neuron states of 32 bits.
INT8 = _horowitz("int8", 1, multiply=0.2, add=0.1, accumulate=0.1, exp=3 * 3.2, state=3.2)
LOIHI = Technology(
    "Loihi",
    "Davies et al. (2018), IEEE Micro 38(1), 82-99, table 2: 14 nm, 0.75 V, the least values",
    1,
    synaptic=23.6,
    macs=None,
    adds=None,
    exps=None,  # no such unit
    divides=None,
    updates=81.0,  # active; 52 when inactive
    spikes=1.7,  # within a tile; a hop between tiles takes 3 (east-west) or 4 (north-south)
)
TECHNOLOGIES = {technology.name: technology for technology in (FP32, FP16, INT8, LOIHI)}


def loihi2(*, synaptic: float, updates: float, spikes: float, source: str) -> Technology:
    """Loihi 2 at prices (pJ) of your own: Intel publishes none, so there is no default."""
    prices = dict(synaptic=synaptic, updates=updates, spikes=spikes)
    for name, price in prices.items():
        scalar(name, price, least=0, finite=True)
    return Technology(
        "Loihi 2", source, 1, synaptic=synaptic, macs=None, adds=None, exps=None, divides=None,
        updates=updates, spikes=spikes,
    )  # fmt: skip


@dataclass(frozen=True)
class Ledger:
    """Prices of operation counts on a technology; with a `memory`, of the words moved too."""

    technology: Technology
    memory: Memory | None = None

    def __post_init__(self) -> None:
        instance("technology", self.technology, Technology)
        if self.memory is not None:
            instance("memory", self.memory, Memory)

    def parts(self, counts: Counts) -> dict[str, Any]:
        """The energy (pJ) of every kind of operation, and of `traffic`; they sum to `energy`.

        **Raises:** `ValueError` for an operation that is counted but has no price.
        """
        instance("counts", counts, Counts)
        priced = {}
        for name in OPERATIONS:
            count, price = getattr(counts, name), getattr(self.technology, name)
            if price is None:
                if isinstance(count, int | float) and count == 0:
                    continue
                raise ValueError(
                    f"counts: {self.technology.name} has no price for {name}. Leave them out of "
                    "the counts, or give the technology one with dataclasses.replace."
                )
            priced[name] = count * price
        if self.memory is not None:
            priced["traffic"] = counts.words * (self.technology.word * self.memory.byte)
        return priced

    def energy(self, counts: Counts) -> Any:
        """The energy of those operations (pJ)."""
        return sum(self.parts(counts).values())


def _sizes(**values: Any) -> tuple[Any, ...]:
    """Whole numbers of Python's, of at least 1, without bound; a width may be 0, where nothing is
    seen, or several, one for each query."""
    least = {"width": 0}
    return tuple(
        _amount(name, value)
        if name in least and isinstance(value, np.ndarray) and value.ndim
        else count(name, value, least.get(name, 1), None)
        for name, value in values.items()
    )


def attention_counts(width: int, memories: int, *, steps: int = 1, batch: int = 1) -> Counts:
    """Operation counts of softmax attention: one query of `width` N over P `memories`, `steps`
    times.

    Scores and mixture take N P multiply-accumulates each, the softmax P exponentials, P additions
    and P divisions. A `batch` of queries shares one reading of keys and values.
    """
    width, memories = _sizes(width=width, memories=memories)
    steps, batch = _sizes(steps=steps, batch=batch)
    products = 2 * width * memories
    once = Counts(
        macs=products,
        adds=memories,
        exps=memories,
        divides=memories,
        words=products / batch + 2 * (width + memories),
    )
    return once * steps


def hard_attention_counts(width: int, memories: int, *, batch: int = 1) -> Counts:
    """Operation counts of hard attention, the value of the best key: N P multiply-accumulates, P
    comparisons, one value read."""
    width, memories, batch = _sizes(width=width, memories=memories, batch=batch)
    products = width * memories
    return Counts(macs=products, adds=memories, words=products / batch + 3 * width)


def sparse_attention_counts(width: int, memories: int, support: Any, *, batch: int = 1) -> Counts:
    """Operation counts of entmax attention whose weights are 0 but for `support` memories: only
    they are mixed.

    The threshold takes a sort, `P log2 P` comparisons (Martins & Astudillo 2016, ICML, 1614-1623).
    """
    width, memories, batch = _sizes(width=width, memories=memories, batch=batch)
    floating("support", support, least=0)
    products = width * memories
    return Counts(
        macs=products + support * width,
        adds=memories * math.ceil(math.log2(max(memories, 2))),
        divides=support,
        words=products / batch + support * width + 2 * (width + memories),
    )


def linear_attention_counts(width: int, out: int | None = None, *, batch: int = 1) -> Counts:
    """Operation counts of linear attention with the feature map `elu + 1`, its sum over memories
    made once, at storage.

    N exponentials, then a product of the N features with a matrix [N, `out`] and with a vector
    (Katharopoulos et al. 2020, ICML): no P at all.
    """
    width, rows, batch = _sizes(width=width, out=width if out is None else out, batch=batch)
    products = width * (rows + 1)
    return Counts(macs=products, exps=width, divides=rows, words=products / batch + width + rows)


def classical(width: int, *, sweeps: int = 1, batch: int = 1) -> Counts:
    """Operation counts of a Hopfield network of N signs: each sweep adds N^2 weights and compares N
    sums."""
    width, sweeps, batch = _sizes(width=width, sweeps=sweeps, batch=batch)
    words = width * width / batch + 2 * width
    return Counts(synaptic=width * width, adds=width, words=words) * sweeps


def spiking(
    inputs: Any, spikes: Any, width: int, memories: int, *, graded: bool = False, reads: bool = True
) -> Counts:
    """Operation counts of the spiking memory in kernel form: `inputs` P + S (N + P) synaptic
    operations, updates and draws.

    Each of the `inputs` reaches P memories: a spike adds a weight, a `graded` value (a pixel)
    multiplies it. Each of S `spikes` reaches the P memories through the overlaps of patterns and,
    where the visible state is read (`reads`), N visible units; their states decay meanwhile, and
    the rates of the next spike take P exponentials and P additions, its waiting time one
    exponential.
    """
    width, memories = _sizes(width=width, memories=memories)
    inputs, spikes = _amount("inputs", inputs), _amount("spikes", spikes)
    graded, reads = flag("graded", graded), flag("reads", reads)
    fan = (width if reads else 0) + memories
    arriving, sent = inputs * memories, spikes * fan
    return Counts(
        synaptic=sent if graded else arriving + sent,
        macs=arriving if graded else 0.0,
        adds=spikes * memories,
        exps=spikes * (memories + 1),
        updates=sent,
        spikes=spikes if graded else inputs + spikes,
        words=arriving + 3 * sent,  # a weight, and a state both ways
    )


def sampled_attention_counts(
    width: int, memories: int, spikes: Any, out: int | None = None
) -> Counts:
    """Operation counts of sampled attention, whose mixture is the mean of S `spikes`, drawn at one
    query: no feedback.

    Scores and one softmax as for attention; a draw is a search in the P cumulated weights, and
    adds a value of `out` (N) numbers.
    """
    width, out = _sizes(width=width, out=width if out is None else out)
    (memories,) = _sizes(memories=memories)
    spikes = _amount("spikes", spikes)
    products = width * memories
    return Counts(
        synaptic=spikes * out,
        macs=products,
        adds=2 * memories + spikes * math.ceil(math.log2(max(memories, 2))),
        exps=memories,
        divides=out,
        spikes=spikes,
        words=products + spikes * out + 2 * (width + memories),
    )


def synapses_alone(counts: Counts) -> Counts:
    """Synaptic operations alone, the price list's usual promise: without states and rates."""
    instance("counts", counts, Counts)
    return Counts(synaptic=counts.synaptic, macs=counts.macs)


def break_even(
    ledger: Ledger, made: Callable[[float], Counts], other: Counts, rival: Ledger | None = None
) -> float:
    """Break-even number of spikes S, at which `made(S)` costs as much as `other`; negative if
    never.

    `made` is linear in S. With `synapses_alone` around both this is the line `inputs P + S (N + P)
    = (E_mac / E_ac) 2 N P`. `rival` prices the other, by default the same ledger.
    """
    instance("ledger", ledger, Ledger)
    function("made", made)
    instance("other", other, Counts)
    if rival is not None:
        instance("rival", rival, Ledger)
    start = ledger.energy(made(0.0))
    slope = ledger.energy(made(1.0)) - start
    return float(((rival or ledger).energy(other) - start) / slope)


__getattr__ = renamed(
    __name__,
    {
        "attention": "bpcjax.cost.attention_counts",
        "hard_attention": "bpcjax.cost.hard_attention_counts",
        "sparse_attention": "bpcjax.cost.sparse_attention_counts",
        "linear_attention": "bpcjax.cost.linear_attention_counts",
        "sampled_attention": "bpcjax.cost.sampled_attention_counts",
    },
)
