"""Precision of arrays in models that are made by hand."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


def single(tree: Any) -> Any:
    """Single precision: the tree with all its floating arrays at 32 bits."""
    return jax.tree.map(lambda a: a.astype(jnp.float32) if eqx.is_inexact_array(a) else a, tree)


def as_int8(values: np.ndarray) -> np.ndarray:
    """Values rounded to 255 levels of one scale, as they are kept in 8 bits."""
    scale = np.abs(values).max() / 127
    return np.rint(values / scale) * scale
