"""Precision of arrays in models that are made by hand."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp


def single(tree: Any) -> Any:
    """Single precision: the tree with all its floating arrays at 32 bits."""
    return jax.tree.map(lambda a: a.astype(jnp.float32) if eqx.is_inexact_array(a) else a, tree)
