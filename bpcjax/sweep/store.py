"""Store of a sweep: one Zarr group that is a labelled data set at any time."""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .grid import Blocks, Grid
from .program import DONE, Output

_DIMS = "_ARRAY_DIMENSIONS"  # xarray's convention in Zarr's format 2


def _fill(dtype: np.dtype) -> Any:
    # xarray takes a fill value for a mask and would make floats of integers: none for those.
    return np.nan if dtype.kind == "f" else None


def _make(root: Any, blocks: Blocks, outputs: Mapping[str, Output], about: dict[str, Any]) -> None:
    """The coordinates, and empty arrays whose Zarr chunks are the blocks."""
    import numcodecs
    import zarr

    coordinates = blocks.grid.coordinates()
    beside = [name for name in coordinates if name not in blocks.grid.names]
    also = {"coordinates": " ".join(beside)} if beside else {}  # as xarray writes it
    group = zarr.create_group(root, zarr_format=2, attributes={**about, **also})

    def array(name, dims, shape, chunks, dtype, fill):
        return group.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            fill_value=fill,
            compressors=numcodecs.Zstd(1, checksum=True),  # the default takes damaged files
            attributes={_DIMS: list(dims)},
        )

    for name, (dims, values) in coordinates.items():
        array(name, dims, values.shape, values.shape, values.dtype, None)[...] = values
    grid = blocks.grid
    flag = Output((), (), np.dtype(bool))
    for name, (dims, shape, dtype) in {**outputs, DONE: flag}.items():
        whole, chunks = (*grid.shape, *shape), (*blocks.tile, *shape)
        array(name, (*grid.names, *dims), whole, chunks, dtype, _fill(dtype))
    zarr.consolidate_metadata(root, zarr_format=2)


class Store:
    """Zarr store of a sweep, in a folder or (`path=None`) in memory.

    Every block is a Zarr chunk of each output, so that no two of them share a file, in whatever
    process they are solved. A block counts once `done` is true at its points, which is written
    after its data are on the disk; zarr renames files into place when they are whole.
    """

    def __init__(self, path: str | os.PathLike | None):
        import zarr

        self.path = None if path is None else Path(path)
        memory: Any = zarr.storage.MemoryStore  # pyright: ignore[reportAttributeAccessIssue]
        self._root: Any = memory() if path is None else self.path
        self._made = False

    @property
    def exists(self) -> bool:
        """Whether a sweep has been begun here."""
        if self.path is None:
            return self._made
        empty = self.path.is_dir() and not any(self.path.iterdir())
        return self.path.exists() and not empty

    def make(self, blocks: Blocks, outputs: Mapping[str, Output], about: dict[str, Any]) -> None:
        """Begin: all that is not data is written beside its place, then renamed."""
        self._made = True
        if self.path is None:
            return _make(self._root, blocks, outputs, about)
        part = self.path.with_name(f".{self.path.name}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(part, ignore_errors=True)
            _make(part, blocks, outputs, about)
            os.replace(part, self.path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> OSError:
        return OSError(
            error.errno,
            f"store: {self.path} cannot be written to ({error}). Make room, or pass another place; "
            "the same call goes on from the chunks that are done",
        )

    def _other(self, what: str) -> ValueError:
        return ValueError(f"store: {self.path} {what}. Pass another store, or delete this one.")

    def open(self, grid: Grid) -> tuple[int, ...]:
        """Open what is there, and say the shape of its blocks.

        **Raises:** `ValueError` if it is no sweep or one over other axes.
        """
        import zarr

        try:
            self.group: Any = zarr.open_group(self._root, mode="r+", zarr_format=2)
        except (OSError, ValueError, KeyError) as error:
            raise self._other(f"is no store of a sweep ({error})") from error
        self.about: dict[str, Any] = dict(self.group.attrs)
        if not {"axes", "tile", "program"} <= set(self.about):
            raise self._other("is no store of a sweep")
        if tuple(self.about["axes"]) != grid.names:
            raise self._other(f"holds a sweep over {self.about['axes']}, not {list(grid.names)}")
        for name, (_, values) in grid.coordinates().items():
            labels: Any = self.group[name][...] if name in self.group else None
            if labels is None or (labels.dtype, labels.tobytes()) != (
                values.dtype,
                values.tobytes(),
            ):
                raise self._other(f"holds a sweep with other values of axis {name!r}")
        return tuple(self.about["tile"])

    def check(self, blocks: Blocks, outputs: Mapping[str, Output], about: dict[str, Any]) -> None:
        """**Raises:** `ValueError` naming what differs from what was begun here."""
        if tuple(self.about["tile"]) != blocks.tile:
            raise self._other(
                f"was begun with chunk={self.about['chunk']}, and the last bits of numbers depend "
                "on it: pass the same, or leave it out"
            )
        for name in ("platform", "jax", "jaxlib"):
            if self.about.get(name) != about[name]:
                stored = self.about.get(name)
                raise self._other(f"was begun with {name} = {stored}, not {about[name]}")
        for name, (dims, shape, dtype) in outputs.items():
            stored = self.group.get(name)
            want = [*blocks.grid.names, *dims], (*blocks.grid.shape, *shape), dtype
            if stored is None or (stored.attrs[_DIMS], stored.shape, stored.dtype) != want:
                raise self._other(f"holds another output {name!r}")
        if self.about["program"] != about["program"]:
            raise self._other(
                "was begun with another function: its code, or arrays that it holds, differ"
            )
        self.blocks = blocks
        self._arrays = {name: self.group[name] for name in [*outputs, DONE]}

    def done(self) -> np.ndarray:
        """Mask [blocks] of those that are done."""
        return self._arrays[DONE][
            tuple(slice(None, None, tile) for tile in self.blocks.tile)
        ].ravel()

    def put(self, block: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write what a block gave; it may be called in any thread.

        **Raises:** `OSError` if the disk is full or the folder cannot be written to.
        """
        region = self.blocks.region(block)
        try:
            for name, values in arrays.items():
                self._arrays[name][region] = self.blocks.unpad(block, values)
                self._flush(name, block)
            self._arrays[DONE][region] = True
        except OSError as error:
            raise self._unwritable(error) from error

    def _flush(self, name: str, block: int) -> None:
        """Wait until the file is on the disk, so that `done` cannot overtake it in a power cut."""
        if self.path is None:
            return
        array = self._arrays[name]
        place = np.unravel_index(block, self.blocks.counts)
        extra = (0,) * (len(array.shape) - len(place))
        key = array.metadata.encode_chunk_key((*map(int, place), *extra))
        with contextlib.suppress(FileNotFoundError):  # zarr writes no file where all is NaN
            handle = os.open(self.path / name / key, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def read(self) -> Any:
        """All of it, as an `xarray.Dataset` in memory."""
        import xarray as xr

        try:
            return xr.open_zarr(self._root, chunks=None).load()
        except (RuntimeError, ValueError) as error:
            raise self._other(f"is damaged ({error})") from error
