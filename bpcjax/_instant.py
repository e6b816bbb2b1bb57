"""What counts as one instant: times that rounding alone takes apart."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

ULPS = 8  # what a few sums and products of times may be off by, in units of their last place


def rounding(t: Any) -> Float[Array, "..."]:
    """How far two times near `t` may be apart and still be one instant: it grows with `|t|`."""
    t = jnp.asarray(t)
    return ULPS * float(jnp.finfo(t.dtype).eps) * jnp.abs(t)
