"""Weights that are no longer numbers: training stops, and says which."""

from typing import Any

import jax
import jax.numpy as jnp

from . import InputError


def refuse_nan(weights: Any, epoch: int) -> None:
    """Nothing, if all weights of the tree are finite after that epoch.

    **Raises:** `InputError` naming the first that are not: their path in the tree.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights):
        if not bool(jnp.isfinite(leaf).all()):
            name = jax.tree_util.keystr(path).lstrip(".")
            raise InputError(
                f"epoch {epoch}: {name} is no longer finite. Pass a smaller rate of learning."
            )
