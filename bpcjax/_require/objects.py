"""Validation of keys, functions and other objects."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .numbers import describe


def key(name: str, value: Any) -> Any:
    """`value`, which is one key: of `jax.random.key`, or a raw one.

    **Raises:** `ValueError` with the name where it is none, or several.
    """
    remedy = "pass jax.random.key(seed), and under vmap one a row"
    if not isinstance(value, jax.Array | np.ndarray):
        raise ValueError(f"{name} must be one key, got {describe(value)}: {remedy}.")
    typed = jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    raw = value.dtype == np.uint32 and value.ndim > 0
    if not (typed or raw):
        raise ValueError(f"{name} must be one key, got {describe(value)}: {remedy}.")
    rows = value.shape if typed else value.shape[:-1]
    if rows or (raw and value.shape[-1] not in (2, 4)):
        raise ValueError(f"{name} must be one key, got an array of shape {value.shape}: {remedy}.")
    return value


def split_key(value: Any, name: str = "key") -> Array:
    """Two keys from one.

    **Raises:** `ValueError` if it is not one key.
    """
    return jax.random.split(key(name, value))


def function(name: str, value: Any, what: str = "a function") -> Any:
    """`value`, which can be called.

    **Raises:** `ValueError` with the name where it cannot.
    """
    if not callable(value):
        raise ValueError(f"{name} must be {what}, got {describe(value)}.")
    return value


def flag(name: str, value: Any) -> bool:
    """`value`, which is true or false, as one of Python's.

    **Raises:** `ValueError` with the name where it is neither.
    """
    return bool(instance(name, value, bool, np.bool_))


def instance(name: str, value: Any, *kinds: Any) -> Any:
    """`value`, which is of one of these types.

    **Raises:** `ValueError` with the name where it is not.
    """
    if not isinstance(value, kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"{name} must be of type {names}, got {describe(value)}.")
    return value


def sequence(name: str, values: Any, *kinds: Any, least: int = 0) -> tuple[Any, ...]:
    """`values` as a tuple of `least` objects or more, each of one of these types.

    **Raises:** `ValueError` with the name where they are not.
    """
    if not isinstance(values, Iterable) or isinstance(values, str | dict):
        raise ValueError(f"{name} must be a list, got {describe(values)}.")
    items = tuple(instance(name, value, *kinds) for value in values)
    if len(items) < least:
        raise ValueError(f"{name}: there must be {least} at least, got {len(items)}.")
    return items
