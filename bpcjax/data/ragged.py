"""Ragged arrays: rows of unequal length, one after another, with the offsets where each begins."""

from typing import Any

import numpy as np
from jaxtyping import Integer


def offsets_of(lengths: Integer[np.ndarray, " n"]) -> Integer[np.ndarray, " ends"]:
    """Offsets of ragged rows: where each begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def taken(
    offsets: Integer[np.ndarray, " ends"], index: Any
) -> tuple[Integer[np.ndarray, " kept"], Integer[np.ndarray, " new_ends"]]:
    """Selection of ragged rows: the places of the entries of the rows `index` (a slice, a mask,
    indices), and their offsets."""
    starts, lengths = offsets[:-1][index], np.diff(offsets)[index]
    new = offsets_of(lengths)
    return np.repeat(starts - new[:-1], lengths) + np.arange(new[-1]), new
