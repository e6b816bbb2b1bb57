"""Tolerance of time: the rounding within which two times are one instant."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

ULPS = 8  # what a few sums and products of times may be off by, in units of their last place


def rounding(t: Any) -> Float[Array, "..."]:
    """Rounding of a time near `t`: two times no further apart are one instant. It grows with
    `|t|`."""
    t = jnp.asarray(t)
    return ULPS * float(jnp.finfo(t.dtype).eps) * jnp.abs(t)
