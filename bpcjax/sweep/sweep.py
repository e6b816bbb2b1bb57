"""`sweep`: solve every point of a grid, chunk by chunk, and lose nothing on the way."""

import contextlib
import math
import operator
import os
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, SupportsIndex

import jax

from .grid import Blocks, Grid
from .program import DONE, Batch, Device, Program, Run
from .solve import cores, solve, together
from .store import Store

# By default so many chunks, that there is progress to show and to keep, of points within bounds:
# a core's cache holds few, an accelerator is busy with many only.
_BLOCKS = 16
_CORE, _ACCELERATOR = (1, 8192), (16384, 262144)
_VERSIONS = "bpcjax", "jax", "jaxlib", "diffrax", "equinox"
_SHOWN = 5  # failed chunks in an error's text


class SweepError(RuntimeError):
    """Error of a sweep of which some chunks failed; the others are done, and stored.

    `dataset` holds them, with NaN elsewhere; `failed` has, for each failed chunk, the first and
    last value of each axis, and why. With a `store` the same call tries these chunks again.
    """

    def __init__(self, message: str, failed: tuple[tuple[dict[str, Any], str], ...], dataset: Any):
        super().__init__(message)
        self.failed, self.dataset = failed, dataset


def sweep(
    run: Run,
    axes: Mapping[str, Any],
    *,
    store: str | os.PathLike | None = None,
    chunk: SupportsIndex | None = None,
    devices: Sequence[Device] | None = None,
    batch: Batch = jax.vmap,
    progress: bool = True,
) -> Any:
    """Parameter sweep: `run(**point)` at every point of the product of `axes`, as an
    `xarray.Dataset`.

    `axes` maps each argument of `run` to its values, an array [n] of numbers or of keys
    (`jax.random.split`; labelled by their number). `run` returns a dict of arrays, or of
    `(dims, array)` where dimensions beyond the grid's are to have names. A point that fails may
    say so by an output `ok`.

    `chunk` points at most are solved at a time (by default some sixteenth of the grid that fits
    the memory): rectangular blocks of the grid, one compiled program of static shape, so that bits
    depend on `chunk` and not on what shares the work. Chunks go to the local `devices`, on CPUs one
    to each core; with `jax.distributed` every process makes the same call and takes its share.
    `batch` turns `run` into a function of arrays with the points first: `jax.vmap`, or
    `population`.

    `store` is the folder of a Zarr group, the same for all processes; the call goes on from the
    chunks that are done there, once no other is at work in it. It opens with `xarray.open_zarr` at
    any time: `done` tells which points are there. Every chunk has a checksum; those that were
    altered or lost are solved again, with a warning.

    `run` is traced at each call, and compiled unless the same program was before; functions within
    it that are under `jax.jit` themselves are not, as ever. A store is refused where the program is
    another one. The code of functions that it calls on the host (`jax.pure_callback`,
    `io_callback`) is no part of it: with a store a warning names them.

    **Raises:** `SweepError`, after all else is done, for chunks that failed; `ValueError` or
    `TypeError` naming the axis, the output, or the store that does not fit or is damaged, and the
    remedy; `OSError` if the store cannot be written to.
    """
    grid = Grid(axes)
    chunk = _chunk(chunk)
    if store is None and jax.process_count() > 1:
        raise ValueError("store: several processes need one, a folder that all of them see.")
    devices = _local(devices)
    cache, program = Store(store), None
    with contextlib.ExitStack() as stack:
        with together("begun"):
            if jax.process_index() == 0 and not cache.exists:
                program = _program(run, grid, chunk, batch, devices)
                cache.make(program.blocks, program.outputs, _about(program, chunk))
        tile = cache.open(grid)
        blocks = Blocks(grid, tile) if chunk is None else grid.cut(chunk)
        if program is None or program.blocks.tile != blocks.tile:
            program = Program(run, batch, blocks, devices)
        cache.check(program.blocks, program.outputs, _about(program, chunk))
        if cache.path and program.host_calls:
            warnings.warn(
                f"store: run calls {', '.join(program.host_calls)} on the host, and {cache.path} "
                "does not see it change. Delete the store where it has.",
                stacklevel=2,
            )
        with together("alone"):
            if jax.process_index() == 0:
                stack.enter_context(cache.alone(progress))
        with together("ended"):
            reasons = solve(program, cache, progress)
        done, dataset = cache.done(), cache.read()
    if done.all():
        return dataset.drop_vars(DONE)
    failed = tuple(
        (blocks.where(k), reasons.get(k, "another process failed or was stopped"))
        for k in range(len(blocks))
        if not done[k]
    )
    dataset = dataset.where(dataset[DONE]).assign({DONE: dataset[DONE]})
    raise SweepError(_report(failed, cache), failed, dataset)


def _chunk(chunk: Any) -> int | None:
    try:
        chunk = None if chunk is None else operator.index(chunk)
    except TypeError:
        raise ValueError(f"chunk must be a whole number, got {chunk!r}.") from None
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}.")
    return chunk


def _local(devices: Sequence[Device] | None) -> Sequence[Device]:
    if devices is None:
        return jax.local_devices()
    kinds = {(device.process_index, device.platform) for device in devices}
    if len(kinds) != 1 or kinds.pop()[0] != jax.process_index():
        raise ValueError(
            f"devices must be of this process and of one kind, got {devices}. Leave it out for "
            f"{jax.local_devices()}."
        )
    return devices


def _room(device: Device) -> float:
    """Bytes that a chunk may take by default: a quarter of the memory, shared by the lanes."""
    if device.platform != "cpu":
        limit = (device.memory_stats() or {}).get("bytes_limit", 2**33)
        return limit / 4 / 2
    try:
        limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        limit = 2**33
    return limit / 4 / cores()


def _program(run, grid: Grid, chunk: int | None, batch: Batch, devices) -> Program:
    """The program for chunks of the given size, or of one that fits the memory."""
    if chunk is not None:
        return Program(run, batch, grid.cut(chunk), devices)
    least, most = _CORE if devices[0].platform == "cpu" else _ACCELERATOR
    chunk, room = min(max(least, -(-grid.size // _BLOCKS)), most), _room(devices[0])
    while True:
        program = Program(run, batch, grid.cut(chunk), devices)
        points = program.blocks.points
        need = program.output_bytes
        if need <= room:  # else do not even compile it
            need = program.memory
        if need <= room or points == 1:
            return program
        chunk = max(1, min(points // 2, math.floor(points * room / need)))


def _about(program: Program, chunk: int | None) -> dict[str, Any]:
    """The attributes of the result: what its bits depend on."""
    blocks = program.blocks
    about = {
        "axes": list(blocks.grid.names),
        "chunk": blocks.points if chunk is None else chunk,
        "tile": list(blocks.tile),
        "platform": program.devices[0].platform,
        "program": program.mark,
    }
    for name in _VERSIONS:
        try:
            about[name] = version(name)
        except PackageNotFoundError:
            about[name] = "unknown"
    return about


def _report(failed, store: Store) -> str:
    def line(where, reason):
        ranges = (
            f"{name} = {low}" if low == high else f"{name} = {low} ... {high}"
            for name, (low, high) in where.items()
        )
        return f"  {', '.join(ranges)}: {reason}"

    lines = [line(*each) for each in failed[:_SHOWN]]
    if len(failed) > _SHOWN:
        lines.append(f"  and {len(failed) - _SHOWN} more, in the error's `failed`")
    where = "the error's `dataset`"
    if store.path:
        where += " and in the store; the same call tries these again"
    return (
        f"{len(failed)} of {len(store.blocks)} chunks failed; what the others gave is in {where}:\n"
        + "\n".join(lines)
    )
