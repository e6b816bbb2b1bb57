"""Validation of times of a run."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from .._arrays import is_traced
from .numbers import number


def check_times(t0: Any, t1: Any, dt: Any, end: str = "t1") -> Bool[Array, ""]:
    """Validate times, the last by the name of `end`: where traced, whether they make no sense.

    **Raises:** `ValueError` naming the argument where they are known.
    """
    for name, value in (("t0", t0), (end, t1), ("dt", dt)):
        number(name, value, finite=True)
        if isinstance(value, Decimal | Fraction):
            raise ValueError(f"{name} must be a number of Python's, got {value!r}: pass a float.")
    # through numpy: what jnp makes of known values is traced, too, where `simulate` is
    if not is_traced(dt) and not np.asarray(dt) > 0:
        raise ValueError(f"dt must be positive, got {dt}. Pass the step in the system's time unit.")
    if not is_traced(t0, t1) and not np.asarray(t1) > np.asarray(t0):
        if end != "t1":
            raise ValueError(f"{end} must be positive, got {t1}.")
        raise ValueError(f"t1 must be later than t0, got t0={t0} and t1={t1}.")
    t0, t1, dt = map(jnp.asarray, (t0, t1, dt))
    good = (dt > 0) & (t1 > t0) & jnp.isfinite(t0) & jnp.isfinite(t1) & jnp.isfinite(dt)
    return ~good


def unresolved(t0: Any, t1: Any, dt: Any, dtype: Any) -> Bool[Array, ""]:
    """Whether `dtype` cannot resolve steps of `dt` near `t0` or `t1`, where they are traced.

    **Raises:** `ValueError` naming `dt` where they are known.
    """
    if not is_traced(t0, t1, dt):
        times = np.abs(np.asarray([t0, t1], dtype))
        if np.spacing(times.max()) > np.asarray(dt, dtype):
            raise ValueError(
                f"dt={dt} is finer than {jnp.dtype(dtype).name} tells times near {times.max()} "
                "apart. Use double precision, a larger dt, or a run that starts nearer to time 0."
            )
        return jnp.array(False)
    t0, t1, dt = (jax.lax.stop_gradient(jnp.asarray(x, dtype)) for x in (t0, t1, dt))
    largest = jnp.maximum(jnp.abs(t0), jnp.abs(t1))
    return jnp.nextafter(largest, jnp.inf) - largest > dt
