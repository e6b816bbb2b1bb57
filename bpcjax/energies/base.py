"""What every memory is made of, and refuses: patterns, a precision, biases, a state's width."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Inexact

from ..system import as_parameter


def as_patterns(patterns: ArrayLike, axes: str = "P N") -> Inexact[Array, "..."]:
    """`patterns` as a floating (or complex) array of these axes.

    **Raises:** `ValueError` if there is no pattern, or no unit, or if the axes do not fit.
    """
    found = as_parameter(patterns)
    if found.ndim != len(axes.split()):
        raise ValueError(f"patterns must be an array [{axes}], got shape {found.shape}.")
    if found.size == 0:
        raise ValueError(f"patterns must hold one pattern or more, got shape {found.shape}.")
    return found


def as_number(name: str, value: ArrayLike) -> Float[Array, ""]:
    """`value` as one number.

    **Raises:** `ValueError` naming it if it is an array of numbers.
    """
    found = as_parameter(value)
    if found.ndim != 0:
        raise ValueError(f"{name} must be a number, got an array of shape {found.shape}.")
    return found


def as_bias(bias: ArrayLike | None, count: int, dtype: Any) -> Float[Array, " P"]:
    """One bias a pattern, zero where none are given.

    **Raises:** `ValueError` if it has another shape.
    """
    found = jnp.zeros(count, dtype) if bias is None else as_parameter(bias)
    if found.shape != (count,):
        raise ValueError(f"bias must have shape ({count},), one a pattern, got {found.shape}.")
    return found


def check_state(y: Any, shape: tuple[int, ...]) -> None:
    """Raise `ValueError` if the state `y` is not of the patterns' shape."""
    if jnp.shape(y) != shape:
        raise ValueError(f"y must have the shape of one pattern, {shape}, got {jnp.shape(y)}.")
