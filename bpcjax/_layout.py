"""Layout: a state as one vector, and back."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

Vector = Float[Array, " size"]


@dataclass(frozen=True)
class Layout:
    """Layout of a state in a vector: shapes and dtypes of its leaves (static and hashable: usable
    as a field of an interpolation)."""

    treedef: Any
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[Any, ...]

    @classmethod
    def of(cls, y: PyTree) -> "Layout":
        leaves, treedef = jax.tree.flatten(y)
        return cls(treedef, tuple(map(jnp.shape, leaves)), tuple(map(jnp.result_type, leaves)))

    @property
    def dtype(self) -> Any:
        """The dtype of the vector, into which all leaves fit."""
        return jnp.result_type(*self.dtypes)

    @property
    def size(self) -> int:
        """The number of entries of the vector."""
        return sum(map(math.prod, self.shapes))

    def ravel(self, y: PyTree) -> Vector:
        """The state as a vector [size]."""
        dtype = self.dtype
        pairs = zip(self.treedef.flatten_up_to(y), self.shapes, strict=True)
        parts = [jnp.broadcast_to(jnp.asarray(x, dtype), shape).reshape(-1) for x, shape in pairs]
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts)

    def unravel(self, vector: Vector) -> PyTree:
        """The state in its own structure, shapes and dtypes."""
        ends = list(itertools.accumulate(map(math.prod, self.shapes), initial=0))
        pieces = zip(ends[:-1], ends[1:], self.shapes, self.dtypes, strict=True)
        leaves = [jnp.asarray(vector[a:b].reshape(shape), dtype) for a, b, shape, dtype in pieces]
        return jax.tree.unflatten(self.treedef, leaves)
