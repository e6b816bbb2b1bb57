"""The one number of a state that a picture shows."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def pick(states: Any, y: Callable[[Any], Any] | None, count: int) -> np.ndarray:
    """What `y` gives for each of `count` stacked states: [count].

    **Raises:** `ValueError` if that is no number, or, without `y`, if a state is several.
    """
    found = np.asarray(jax.vmap(_only if y is None else y)(states), float)
    if found.shape != (count,):
        raise ValueError(f"y must give one number of a state, got shape {found.shape[1:]}.")
    return found


def _only(state: Any) -> Any:
    leaves = jax.tree.leaves(state)
    if len(leaves) != 1 or np.size(leaves[0]) != 1:
        raise ValueError("y: a state is several numbers. Pass which to draw, as `lambda y: y.v`.")
    return leaves[0].reshape(())
