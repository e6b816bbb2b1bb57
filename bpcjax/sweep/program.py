"""Compiled program for a block of points: its outputs, its memory, its fingerprint."""

import functools
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from .grid import Blocks, Grid, check_name

Run = Callable[..., Mapping[str, Any]]
Batch = Callable[[Run], Run]
Device = Any  # a jax.Device

DONE = "done"  # the flag in a store that tells which points are whole


class _Labelled(eqx.Module):
    """An output with the names of its dimensions, which pass through `vmap` and `jit`."""

    value: Any
    dims: tuple[str, ...] = eqx.field(static=True)


class Output(NamedTuple):
    """Output of each point under one name, without the dimensions of the grid."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype


def population(run: Run) -> Run:
    """Batching rule `batch=population`: all points of a chunk as one population, in one call of
    `run`.

    `run` gets its arguments with shape [points], and returns arrays with the points on their
    last axis, as the state of a population has its neurons; a number without axes, such as
    `ok` of the solve, holds for all. One solve of many neurons is faster than a `vmap` of solves,
    but an adaptive step is then shared: prefer constant ones.
    """

    def batched(**points):
        (count,) = {x.shape[0] for x in points.values()}

        def first(x):
            x = jnp.asarray(x)
            return jnp.moveaxis(x, -1, 0) if x.ndim else jnp.broadcast_to(x, (count,))

        return jax.tree.map(first, run(**points))

    return batched


def _output(name: str, value: Any) -> Any:
    if not isinstance(value, tuple):
        return jnp.asarray(value)
    if len(value) != 2:
        raise ValueError(f"run: output {name!r} must be an array or (dims, array).")
    dims = (value[0],) if isinstance(value[0], str) else tuple(value[0])
    return _Labelled(jnp.asarray(value[1]), dims)


def _function(static: PyTree, batch: Batch, names: tuple[str, ...]) -> Callable[..., Any]:
    """The function of the arrays of `run` and of points that is compiled. It is new at each call,
    so that `jit` traces it: what `run` reads of its surroundings may have changed."""

    def solve(dynamic: PyTree, points: dict[str, Any]):
        run = eqx.combine(dynamic, static)

        def arrays(**point):
            result = run(**{name: point[name] for name in names})  # jax sorts a dict by its keys
            if not isinstance(result, Mapping) or not result:
                raise TypeError(
                    f"run must return a dict of arrays, not empty; it returned {result!r}."
                )
            return {name: _output(name, value) for name, value in result.items()}

        return batch(arrays)(**points)

    return solve


class _Lowered:
    """Program lowered for a device; equal to any other of which the same compiles."""

    def __init__(self, lowered: Any, device: Device):
        self.text, self.out_info = lowered.as_text(), lowered.out_info
        self.compile = lowered.compile
        self._key = self.text, device, lowered.in_tree, lowered.out_tree

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Lowered) and self._key == other._key


@functools.lru_cache(256)
def _compile(lowered: _Lowered) -> Any:
    return lowered.compile()


def _host_calls(jaxpr: Any) -> Iterator[Any]:
    """The functions of the host on whose results a program goes on."""
    for eqn in jaxpr.eqns:
        if eqn.primitive.name in ("pure_callback", "io_callback"):
            yield getattr(eqn.params["callback"], "callback_func", eqn.params["callback"])
        for value in eqn.params.values():
            for inner in value if isinstance(value, tuple) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _host_calls(inner)


def _outputs(arrays: Mapping[str, Any], grid: Grid, points: int) -> dict[str, Output]:
    """Outputs of a block, checked: names, lengths, dimensions, types.

    **Raises:** `ValueError` or `TypeError` naming the output and the remedy.
    """
    outputs, sizes = {}, {}
    coordinates = grid.coordinates()
    used = {dim for dims, _ in coordinates.values() for dim in dims} | set(coordinates)
    for name, x in arrays.items():
        check_name(name, "run: output")
        dims, x = (x.dims, x.value) if isinstance(x, _Labelled) else (None, x)
        if name in used or name == DONE:
            raise ValueError(f"run: output {name!r} has a name in use. Rename it.")
        if x.shape[:1] != (points,):
            raise ValueError(
                f"run: output {name!r} has shape {x.shape} for a chunk of {points} points: `batch` "
                "must return arrays with the points first."
            )
        shape = x.shape[1:]
        dims = tuple(f"{name}_{k}" for k in range(len(shape))) if dims is None else dims
        if len(dims) != len(shape) or len(set(dims)) != len(dims):
            raise ValueError(f"run: output {name!r} has shape {shape} but dimensions {dims}.")
        for dim, size in zip(dims, shape, strict=True):
            check_name(dim, f"run: dimension of {name!r}")
            if dim in used or dim in arrays:
                raise ValueError(
                    f"run: dimension {dim!r} of {name!r} has a name in use. Rename it."
                )
            if size == 0 or sizes.setdefault(dim, size) != size:
                raise ValueError(
                    f"run: dimension {dim!r} of {name!r} has length {size}, but "
                    f"{'none may be empty' if size == 0 else f'{sizes[dim]} in another output'}."
                )
        if jnp.issubdtype(x.dtype, jax.dtypes.extended) or np.dtype(x.dtype).kind not in "biufc":
            raise TypeError(f"run: output {name!r} holds {x.dtype}: cast it to a type of numpy.")
        outputs[name] = Output(dims, shape, np.dtype(x.dtype))
    return outputs


def _digest(text: str, tree: PyTree) -> str:
    digest = hashlib.sha256(text.encode())
    for x in jax.tree.leaves(tree):
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x = jax.random.key_data(x)
        digest.update(f"{x.shape} {x.dtype}".encode() + np.asarray(x).tobytes())
    return digest.hexdigest()[:16]


class Program:
    """Compiled program: `run` over the points of one block, traced anew, and compiled for each
    device unless the same program was before.

    Arrays that a callable module `run` holds are arguments; those that a function closes over are
    constants.
    """

    def __init__(self, run: Run, batch: Batch, blocks: Blocks, devices: Sequence[Device]):
        self.blocks, self.devices = blocks, tuple(devices)
        arrays, static = eqx.partition(run, lambda x: isinstance(x, jax.Array | np.ndarray))
        self._arrays = [jax.device_put(arrays, device) for device in self.devices]

        def trace(device):
            place = jax.sharding.SingleDeviceSharding(device)
            count = (blocks.points,)
            like = functools.partial(jax.ShapeDtypeStruct, sharding=place)
            points = {name: like(count, x.dtype) for name, x in blocks.grid.values.items()}
            own = jax.tree.map(lambda x: like(x.shape, x.dtype), arrays)
            return jax.jit(solve).trace(own, points)

        solve = _function(static, batch, blocks.grid.names)
        traced = [trace(device) for device in self.devices]
        calls = list(_host_calls(traced[0].jaxpr.jaxpr))
        own = [
            f for f in calls if not (getattr(f, "__module__", None) or "").startswith("equinox.")
        ]
        self.host_calls = sorted({getattr(f, "__qualname__", repr(f)) for f in own})
        self._lowered = [_Lowered(t.lower(), d) for t, d in zip(traced, self.devices, strict=True)]
        # What is compiled calls the functions of its own trace: with such calls it serves no other.
        self._compile = (lambda lowered: lowered.compile()) if calls else _compile
        self._compiled: list[Any] = []
        self.outputs = _outputs(self._lowered[0].out_info, blocks.grid, blocks.points)

    @property
    def mark(self) -> str:
        """A fingerprint of all that is computed: the program, its constants and its arrays."""
        return _digest(self._lowered[0].text, self._arrays[0])

    @property
    def takes_all_threads(self) -> bool:
        """Whether it calls libraries that share out their work over the threads of the CPU."""
        text = self._lowered[0].text
        return "lapack_" in text or "stablehlo.fft" in text

    @property
    def output_bytes(self) -> int:
        """The number of bytes of a block's outputs."""
        sizes = (math.prod(o.shape) * o.dtype.itemsize for o in self.outputs.values())
        return self.blocks.points * sum(sizes)

    @property
    def memory(self) -> int:
        """Bytes that a block takes while it runs, as the compiler says."""
        analysis = self._compile(self._lowered[0]).memory_analysis()
        return self.output_bytes + (0 if analysis is None else analysis.temp_size_in_bytes)

    def compile(self, most: int) -> None:
        """Compile for at most so many of the devices, side by side."""
        lowered = self._lowered[:most]
        with ThreadPoolExecutor(len(lowered)) as pool:
            self._compiled = list(pool.map(self._compile, lowered))

    def place(self, block: int, device: int) -> tuple[PyTree, dict[str, Any]]:
        """The arguments of a block, on a device."""
        points = self.blocks.values(block)
        return self._arrays[device], jax.device_put(points, self.devices[device])

    def __call__(self, device: int, placed: tuple[PyTree, dict[str, Any]]) -> dict[str, np.ndarray]:
        """Run a block: its outputs [points, ...]. It may be called in any thread."""
        outputs = self._compiled[device](*placed)
        outputs = {n: x.value if isinstance(x, _Labelled) else x for n, x in outputs.items()}
        return {name: np.asarray(x) for name, x in outputs.items()}
