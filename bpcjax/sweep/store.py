"""Store of a sweep: one Zarr group that is a labelled data set at any time."""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._files import (
    CHECKSUMS,
    FileError,
    WriteError,
    altered,
    beside,
    clean,
    lock,
    save_checksums,
    sync,
    unwritable,
)
from .grid import Blocks, Grid
from .program import DONE, Output

_DIMS = "_ARRAY_DIMENSIONS"  # xarray's convention in Zarr's format 2
_METADATA = "metadata"  # the name of the checksums of all that is not data
_SHOWN = 5  # damaged files in a warning's text


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
    process they are solved. A block counts once the checksums of its files are kept, which is
    done after these are on the disk, and as long as the files are what the checksums say.
    """

    def __init__(self, path: str | os.PathLike | None):
        import zarr

        self.path = None if path is None else Path(path)
        memory: Any = zarr.storage.MemoryStore  # pyright: ignore[reportAttributeAccessIssue]
        self._root: Any = memory() if path is None else self.path
        self._made = False
        self._whole: set[int] = set()  # the blocks that were put here, or found whole

    @property
    def exists(self) -> bool:
        """Whether a sweep has been begun here."""
        if self.path is None:
            return self._made
        empty = self.path.is_dir() and not any(self.path.iterdir())
        return self.path.exists() and not empty

    def make(self, blocks: Blocks, outputs: Mapping[str, Output], about: dict[str, Any]) -> None:
        """Begin, unless another process is first: all that is not data is written beside its place,
        then renamed."""
        self._made = True
        if self.path is None:
            return _make(self._root, blocks, outputs, about)
        with self._writing(), beside(self.path) as new:
            _make(new, blocks, outputs, about)
            save_checksums(new, _METADATA, _METADATA)
            sync(new)
            try:
                os.rename(new, os.path.realpath(self.path))
            except OSError:
                if not self.exists:
                    raise

    @contextlib.contextmanager
    def alone(self, progress: bool) -> Iterator[None]:
        """Wait for other sweeps into this store, and hold them off."""
        if self.path is None:
            yield
            return

        def wait():
            if progress:
                print(f"sweep: waiting for another process at {self.path}", file=sys.stderr)

        with lock(self.path, wait):
            clean(self.path.parent, f"{self.path.name}.")
            clean(self.path / CHECKSUMS)
            for part in self.path.glob("*/*.partial"):  # left by zarr where it was killed
                part.unlink(missing_ok=True)
            yield

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error = unwritable(f"store: {self.path}", error)
            also = "; the same call goes on from the chunks that are done"
            raise WriteError(error.errno, f"{error.strerror}{also}") from error

    def _other(self, what: str) -> ValueError:
        return ValueError(f"store: {self.path} {what}. Pass another store, or delete this one.")

    def open(self, grid: Grid) -> tuple[int, ...]:
        """Open what is there, and say the shape of its blocks.

        **Raises:** `ValueError` if it is no sweep, is damaged, or is one over other axes.
        """
        import zarr

        if self.path is not None:
            try:
                damaged = altered(self.path, _METADATA, _METADATA)
            except FileError as error:
                raise self._other(f"is no store of a sweep, or damaged ({error})") from error
            if damaged:
                raise self._other(f"is damaged, in {', '.join(damaged[:_SHOWN])}")
        self.group: Any = zarr.open_group(self._root, mode="r+", zarr_format=2)
        self.about: dict[str, Any] = dict(self.group.attrs)
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

    def _files(self, block: int) -> list[str]:
        """The files of a block, `done` the last."""
        place = [int(k) for k in np.unravel_index(block, self.blocks.counts)]
        return [
            f"{name}/{array.metadata.encode_chunk_key((*place, *[0] * (array.ndim - len(place))))}"
            for name, array in self._arrays.items()
        ]

    def _label(self, block: int) -> str:
        return f"{self.about['program']} {block}"

    def damage(self, block: int) -> list[str] | None:
        """The files of a block that are damaged or lost; `None` if it is not done."""
        if block in self._whole:
            return []
        if self.path is None or not (self.path / CHECKSUMS / f"{block}.npz").exists():
            return None
        try:
            return altered(self.path, str(block), self._label(block))
        except FileError as error:
            return [str(error)]

    def done(self) -> np.ndarray:
        """Mask [blocks] of those that are whole."""
        return np.array([self.damage(block) == [] for block in range(len(self.blocks))])

    def todo(self, blocks: Iterable[int]) -> list[int]:
        """Those of the blocks that are to be solved; what is damaged is dropped, with a warning."""
        damages = {block: self.damage(block) for block in blocks}
        todo = [block for block, damage in damages.items() if damage != []]
        self._whole = damages.keys() - set(todo)
        damaged = [file for damage in damages.values() for file in damage or ()]
        if damaged:
            more = f" and {len(damaged) - _SHOWN} more" if len(damaged) > _SHOWN else ""
            warnings.warn(
                f"store: {self.path} is damaged: {', '.join(damaged[:_SHOWN])}{more} are altered "
                "or lost; their chunks are solved again.",
                stacklevel=4,
            )
        if self.path is not None:
            with self._writing():
                for block in todo:
                    for file in [f"{CHECKSUMS}/{block}.npz", *reversed(self._files(block))]:
                        (self.path / file).unlink(missing_ok=True)
        return todo

    def put(self, block: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write what a block gave; it may be called in any thread.

        **Raises:** `OSError` if the disk is full or the folder cannot be written to.
        """
        region = self.blocks.region(block)
        with self._writing():
            for name, values in arrays.items():
                self._arrays[name][region] = self.blocks.unpad(block, values)
            self._arrays[DONE][region] = True
            if self.path is not None:
                files = self._files(block)
                for file in files:
                    if (self.path / file).exists():  # zarr writes none where all is NaN
                        sync(self.path / file)
                save_checksums(self.path, str(block), self._label(block), files)
        self._whole.add(block)

    def read(self) -> Any:
        """All of it, as an `xarray.Dataset` in memory."""
        import xarray as xr

        return xr.open_zarr(self._root, chunks=None).load()
