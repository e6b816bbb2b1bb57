"""Parts of a study as arrays: one axis for each index of a part, shorter values padded with NaN."""

from collections.abc import Mapping
from typing import Any

import numpy as np

Index = tuple[int, ...]


def padded(values: Mapping[Index, Any], shape: Index) -> np.ndarray:
    """Array [*shape, *room] of values by their index; the room is that of the largest, and what
    no value fills is NaN.

    Values have one number of axes. Without a gap the array has their own type.
    """
    arrays = {index: np.asarray(value) for index, value in values.items()}
    shapes = [array.shape for array in arrays.values()]
    room = tuple(max(sizes) for sizes in zip(*shapes, strict=True))
    full = len(arrays) == np.prod(shape, dtype=int) and all(size == room for size in shapes)
    dtype = np.result_type(*arrays.values()) if full else float
    result = np.full((*shape, *room), 0 if full else np.nan, dtype)
    for index, array in arrays.items():
        result[(*index, *map(slice, array.shape))] = array
    return result


def stack(parts: Mapping[Index, Mapping[str, Any]], shape: Index) -> dict[str, np.ndarray]:
    """Arrays [*shape, ...] of parts by their index: one for each name of the first part."""
    names = next(iter(parts.values()))
    return {name: padded({k: part[name] for k, part in parts.items()}, shape) for name in names}
