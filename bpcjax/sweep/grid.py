"""Parameter grid of a sweep: the product of its axes, cut into blocks of one static shape."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._require import instance, numbers_of

Index = tuple[slice, ...]

# `dataset.sel` has arguments of these names; an axis called so could not be selected from.
_TAKEN = "indexers", "method", "tolerance", "drop"


def check_name(name: Any, what: str) -> None:
    """Raise `ValueError` if an axis or a dimension cannot bear the name."""
    if not isinstance(name, str) or not name or "/" in name or name.startswith("."):
        raise ValueError(f"{what} {name!r}: a name must be a plain string. Rename it.")
    if name in _TAKEN:
        raise ValueError(f"{what} {name!r}: `dataset.sel` has an argument so called. Rename it.")


def _is_key(values: Any) -> bool:
    return isinstance(values, jax.Array) and jnp.issubdtype(values.dtype, jax.dtypes.prng_key)


def _widened(known: np.ndarray | None, axis: Any) -> np.ndarray:
    """The numbers of an axis, if it holds some; short integers as long ones, which do not wrap."""
    label = np.asarray(axis) if known is None else known
    long = np.dtype(jnp.result_type(int))
    short = label.dtype.kind in "iu" and label.dtype.itemsize < long.itemsize
    return label.astype(long) if short else label


def _axis(name: str, axis: Any) -> tuple[Any, np.ndarray]:
    """The values of an axis as `run` gets them, and as the result is labelled."""
    check_name(name, "axes")
    if _is_key(axis):
        values, label = axis, np.arange(axis.size)
    else:
        label = _widened(numbers_of(axis), axis)
        if np.ma.is_masked(axis):
            raise ValueError(f"axes[{name!r}] has masked entries: fill them, or leave them out.")
        if label.dtype.kind not in "biuf":
            raise TypeError(
                f"axes[{name!r}] holds {label.dtype}: an axis holds numbers, truth values or keys. "
                "For names sweep over an index, and label it with `dataset.assign_coords`."
            )
        with np.errstate(over="ignore"):
            values = np.asarray(jnp.asarray(label))
        finite = label.dtype.kind == "f"
        exact = np.isfinite(values) == np.isfinite(label) if finite else values == label
        if not np.all(exact):
            raise ValueError(
                f"axes[{name!r}] exceeds {values.dtype}: turn on jax_enable_x64, or rescale."
            )
    if values.ndim != 1 or values.size == 0:
        raise ValueError(
            f"axes[{name!r}] has shape {values.shape}: an axis is one-dimensional, not empty. "
            "Pass points that do not form a grid as one axis, an index into arrays."
        )
    return values, label


def _fit(size: int, room: int) -> int:
    """How many of `size` to take at a time, at most `room`, with little left over at the end."""
    if room >= size:
        return size
    takes = np.arange(room, (room - 1) // 2, -1)  # the largest first: it wins a tie
    return int(takes[np.argmin(-(-size // takes) * takes)])


class Grid:
    """Parameter grid: the product of axes, the last running fastest, in blocks of at most `chunk`
    points."""

    def __init__(self, axes: Mapping[str, Any]):
        if not instance("axes", axes, Mapping):
            raise ValueError("axes: pass at least one, as `{name: values}`.")
        pairs = {name: _axis(name, axis) for name, axis in axes.items()}
        self.names = tuple(pairs)
        self.values = {name: values for name, (values, _) in pairs.items()}
        self.labels = {name: label for name, (_, label) in pairs.items()}
        self.shape = tuple(len(label) for label in self.labels.values())
        self.size = math.prod(self.shape)

    def coordinates(self) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Coordinates that label the result: the values; of keys their number, and their words
        beside it."""
        coordinates = {}
        for name, values in self.values.items():
            coordinates[name] = (name,), self.labels[name]
            if _is_key(values):
                words = np.asarray(jax.random.key_data(values)).reshape(len(values), -1)
                coordinates[f"{name}_data"] = (name, f"{name}_word"), words
        return coordinates

    def cut(self, chunk: int) -> "Blocks":
        """The blocks of at most `chunk` points."""
        tile, room = [], chunk
        for size in reversed(self.shape):
            tile.append(_fit(size, room))
            room //= tile[-1]
        return Blocks(self, tuple(reversed(tile)))


class Blocks:
    """Blocks of one shape that a grid is cut into; those at the far edges are padded."""

    def __init__(self, grid: Grid, tile: tuple[int, ...]):
        self.grid, self.tile = grid, tile
        self.points = math.prod(tile)
        self.counts = tuple(-(-n // t) for n, t in zip(grid.shape, tile, strict=True))

    def __len__(self) -> int:
        return math.prod(self.counts)

    def _starts(self, block: int) -> Iterator[tuple[int, int, int]]:
        places = np.unravel_index(block, self.counts)
        for place, size, tile in zip(places, self.grid.shape, self.tile, strict=True):
            yield int(place) * tile, size, tile

    def region(self, block: int) -> Index:
        """Slices of the grid that the block covers."""
        return tuple(slice(at, min(at + tile, size)) for at, size, tile in self._starts(block))

    def size(self, block: int) -> int:
        """Number of points of the grid in the block, without its padding."""
        return math.prod(part.stop - part.start for part in self.region(block))

    def values(self, block: int) -> dict[str, Any]:
        """The values of each axis [points] in the block; padding repeats the edge."""
        own = [np.minimum(at + np.arange(n), size - 1) for at, size, n in self._starts(block)]
        index = np.meshgrid(*own, indexing="ij")
        pairs = zip(self.grid.values.items(), index, strict=True)
        return {name: values[i.ravel()] for (name, values), i in pairs}

    def where(self, block: int) -> dict[str, tuple[Any, Any]]:
        """The first and the last label of each axis in the block."""
        parts = zip(self.grid.labels.items(), self.region(block), strict=True)
        return {name: (label[part][0], label[part][-1]) for (name, label), part in parts}

    def unpad(self, block: int, array: np.ndarray) -> np.ndarray:
        """`array` [points, ...] of a block in the grid's shape, without padding."""
        whole = array.reshape(*self.tile, *array.shape[1:])
        return whole[tuple(slice(part.stop - part.start) for part in self.region(block))]
