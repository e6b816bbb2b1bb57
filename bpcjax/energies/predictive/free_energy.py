"""Free energy of predictive coding: layers, and arrows by which they predict each other."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Key, PyTree

from ..._arrays import sized
from ..._require import counts, describe, floating, key as one_key, mask, sequence
from ...system import Module, parameter
from ..base import AbstractEnergy
from .losses import AbstractMismatch, Categorical, Rectified
from .maps import AbstractMap, Constant, DenseMap

Layers = tuple[Any, ...]  # an array a layer, or None


class Partial(eqx.Module):
    """Layer of which only some units are clamped: `values` of all, and which are `seen`.

    As an entry of `args` it leaves the others free: the state holds the whole layer, and F does not
    depend on what stands there for a seen unit. `values` of units not seen are where inference
    starts.

    **Raises:** `ValueError` if the shapes differ.
    """

    values: Float[Array, "..."] = eqx.field(converter=lambda x: floating("values", x))
    seen: Bool[Array, "..."] = eqx.field(converter=lambda x: mask("seen", x))

    def __check_init__(self) -> None:
        mask("seen", self.seen, self.values.shape, "values")

    def beside(self, free: Array | None) -> Array:
        """The whole layer, with the values of `free` where it is not seen."""
        return self.values if free is None else jnp.where(self.seen, self.values, free)


class Arrow(Module):
    """Arrow of a predictive network: the layer `pre` predicts the layer `post`; without `pre` it is
    a prior over `post`.

    Errors return to `pre` through the transposed map, or through that of `feedback`, a map of the
    same shape that is learned (Kolen & Pollack 1994). `strength` multiplies the term.
    """

    pre: int | None = eqx.field(static=True, converter=sized("pre"))
    post: int = eqx.field(static=True, converter=sized("post"))
    predict: AbstractMap
    mismatch: AbstractMismatch
    feedback: AbstractMap | None = None
    strength: Float[Array, ""] = parameter(1.0)

    def __check_init__(self) -> None:
        if self.pre is None and not isinstance(self.predict, Constant):
            raise ValueError("predict: without pre there is only a Constant to predict.")

    @property
    def name(self) -> str:
        """Name of the arrow, from the layers that it joins."""
        return f"{'prior' if self.pre is None else self.pre}->{self.post}"

    @property
    def back(self) -> AbstractMap:
        """Feedback map: that through which errors return, transposed."""
        return self.predict if self.feedback is None else self.feedback

    def term(self, z: Array, mu: Array) -> Float[Array, ""]:
        """The energy of the value `z` under the prediction `mu`."""
        return self.strength * self.mismatch(z, mu)

    def error(self, z: Array, mu: Array) -> Float[Array, "..."]:
        """Prediction error `-dE/dmu`, which the error neurons represent."""
        return -jax.grad(self.term, argnums=1)(z, mu)

    def sent_back(self, z: Array, error: Array) -> Float[Array, "..."]:
        """Feedback current that errors make in the layer of value `z` before them."""
        return jax.vjp(self.back, z)[1](error)[0]


class PredictiveCoding(AbstractEnergy):
    """Predictive coding: `F = sum over arrows of E(z_post, predict(z_pre))`, of one sample.

    The directions are data: an arrow may lead from causes to what they generate, from an
    observation to a label, or both. Gaussian terms keep their normalisation, so that of layers
    joined by them alone `F = -log p` of all values together; Fenchel-Young terms are 0 at the
    prediction. Energies are sums over units, of one sample: a batch is averaged where it is learned
    from.

    **State:** a tuple with the value of each free layer, `None` where a layer is clamped;
    **args:** the values of the clamped layers, `None` where free; a `Partial` where some units are
    clamped and others free. A layer that is `None` in both is left out, with its arrows.

    **Raises:** `ValueError` for a layer given twice, or one that must not be free.

    Sources: Rao & Ballard (1999, Nat. Neurosci. 2:79); Whittington & Bogacz (2017, Neural Comput.
    29:1229).
    """

    arrows: tuple[Arrow, ...]

    def __init__(self, arrows: Any):
        self.arrows = sequence("arrows", arrows, Arrow, least=1)

    @classmethod
    def mlp(
        cls,
        key: Key[Array, ""],
        sizes: tuple[int, ...],
        *,
        hidden: AbstractMismatch | None = None,
        output: AbstractMismatch | None = None,
    ) -> "PredictiveCoding":
        """Multilayer perceptron: layers of `sizes`, each predicting the next; He's initial weights,
        no biases."""
        key, sizes = one_key("key", key), counts("sizes", sizes, 2)
        hidden = Rectified() if hidden is None else hidden
        output = Categorical() if output is None else output
        last, arrows = len(sizes) - 2, []
        for k, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False)):
            scale = jnp.sqrt((1.0 if k == last else 2.0) / n)
            weights = scale * jax.random.normal(jax.random.fold_in(key, k), (m, n))
            arrows.append(Arrow(k, k + 1, DenseMap(weights), output if k == last else hidden))
        return cls(arrows)

    @property
    def depth(self) -> int:
        """The number of layers, clamped and left-out ones included."""
        return 1 + max(max(a.post, -1 if a.pre is None else a.pre) for a in self.arrows)

    def _of(self, values: PyTree) -> Layers:
        if values is None:
            return (None,) * self.depth
        if not isinstance(values, tuple | list) or len(values) != self.depth:
            got = len(values) if isinstance(values, tuple | list) else describe(values)
            raise ValueError(
                f"y, args: there are {self.depth} layers, with None for one left out, got {got}."
            )
        return tuple(
            v if v is None or isinstance(v, Partial) else floating("y, args", v) for v in values
        )

    def full(self, y: PyTree, args: PyTree = None) -> Layers:
        """The values of all layers, `None` of those left out."""
        y, args = self._of(y), self._of(args)
        both = (b for a, b in zip(y, args, strict=True) if a is not None and b is not None)
        if not all(isinstance(b, Partial) for b in both):
            raise ValueError("y: a layer is either in the state or clamped by args, not both.")
        for arrow in self.arrows:
            if y[arrow.post] is not None and not arrow.mismatch.free:
                raise ValueError(
                    f"y: layer {arrow.post} is categorical: clamp it by args, or leave it out."
                )
        return tuple(
            b.beside(a) if isinstance(b, Partial) else b if a is None else a
            for a, b in zip(y, args, strict=True)
        )

    def clamped(self, y: PyTree, args: PyTree = None) -> Layers:
        """Which units of the state are clamped: those that `args` says are seen."""
        return tuple(
            None if a is None else b.seen if isinstance(b, Partial) else jnp.zeros(a.shape, bool)
            for a, b in zip(self._of(y), self._of(args), strict=True)
        )

    def _joined(self, z: Layers) -> list[Arrow]:
        """The arrows between layers that are there."""
        there = (a for a in self.arrows if z[a.post] is not None)
        return [a for a in there if a.pre is None or z[a.pre] is not None]

    def predictions(self, y: PyTree, args: PyTree = None) -> dict[str, Float[Array, "..."]]:
        """Prediction of each arrow, by name, also of a layer that is left out."""
        z = self.full(y, args)
        arrows = (a for a in self.arrows if a.pre is None or z[a.pre] is not None)
        return {a.name: a.predict(None if a.pre is None else z[a.pre]) for a in arrows}

    def terms(self, y: PyTree, args: PyTree = None) -> dict[str, Float[Array, ""]]:
        """Terms of the free energy, one an arrow, which sum to it."""
        z = self.full(y, args)
        return {a.name: a.term(z[a.post], self._predict(a, z)) for a in self._joined(z)}

    def _predict(self, arrow: Arrow, z: Layers) -> Array:
        mu = arrow.predict(None if arrow.pre is None else z[arrow.pre])
        post = z[arrow.post]
        if post is not None and mu.size != post.size:
            raise ValueError(
                f"y, args: {arrow.name} predicts {mu.size} units of layer {arrow.post}, which has "
                f"{post.size}."
            )
        return mu if post is None else mu.reshape(post.shape)

    def errors(self, y: PyTree, args: PyTree = None) -> dict[str, Float[Array, "..."]]:
        """Prediction errors `-dE/dmu` of each arrow, by name."""
        z = self.full(y, args)
        return {a.name: a.error(z[a.post], self._predict(a, z)) for a in self._joined(z)}

    def membrane(
        self, y: PyTree, args: PyTree = None, errors: dict[str, Array] | None = None
    ) -> Layers:
        """Drive of every free unit: its own misfit, and corrections `errors` sent back to it.

        With the true `errors` (the default) and transposed maps it is `-dF/dz`.
        """
        errors = self.errors(y, args) if errors is None else errors

        def message(y):
            z, total = self.full(y, args), jnp.zeros(())
            for a in self._joined(z):
                total = total + a.term(z[a.post], jax.lax.stop_gradient(self._predict(a, z)))
                if a.pre is not None:
                    sent = jax.lax.stop_gradient(errors[a.name]).ravel()
                    total = total - sent @ a.back(z[a.pre]).ravel()
            return total

        return jax.tree.map(jnp.negative, jax.grad(message)(self._of(y)))

    def stiffness(self, y: PyTree, args: PyTree = None) -> Layers:
        """Bound of the curvature `d2F / dz_i^2`, for each unit's threshold: `pi_i + sum_j W_ji^2
        pi_j`.

        It bounds the second derivative everywhere if activations are linear and strengths are not
        negative: then a spike past it certainly lowers F.
        """
        z = self.full(y, args)
        bounds: list = [None if value is None else jnp.zeros_like(value) for value in self._of(y)]
        for a in self._joined(z):
            flat = self._predict(a, z).ravel()
            bound = jnp.abs(a.strength) * a.mismatch.curvature(flat)
            if bounds[a.post] is not None:
                own = jnp.diagonal(bound) if bound.ndim == 2 else bound
                bounds[a.post] = bounds[a.post] + own.reshape(bounds[a.post].shape)
            if a.pre is not None and bounds[a.pre] is not None:
                bounds[a.pre] = bounds[a.pre] + a.predict.squared(z[a.pre], bound)
        return tuple(bounds)

    def differences(
        self, y: PyTree, args: PyTree, quantum: ArrayLike
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """Exact change of F where one unit moves by `quantum` up, or down, for each unit in the
        order of `ravel_pytree(y)`.

        A unit's own misfit and those that it predicts are taken anew, nothing else. Clamped units
        of a `Partial` layer never move: `inf`.
        """
        z = self.full(y, args)

        def of_layer(k: int, value: Array, by: Array) -> Array:
            def of_unit(unit):
                changed = value.ravel().at[unit].add(by).reshape(value.shape)
                total = jnp.zeros(())
                for a in joined:
                    mu = predictions[a.name]
                    if a.post == k:
                        after = a.mismatch(changed, mu)
                    elif a.pre == k:
                        flat = a.predict.moved(value, unit, by, mu.ravel())
                        after = a.mismatch(z[a.post], flat.reshape(mu.shape))
                    else:
                        continue
                    total = total + a.strength * (after - a.mismatch(z[a.post], mu))
                return total

            return jax.vmap(of_unit)(jnp.arange(value.size))

        joined = self._joined(z)
        predictions = {a.name: self._predict(a, z) for a in joined}
        quantum = jnp.asarray(quantum)
        seen = self.clamped(y, args)
        free = [(k, z[k]) for k, value in enumerate(self._of(y)) if value is not None]
        up, down = (
            jnp.concatenate(
                [jnp.where(seen[k].ravel(), jnp.inf, of_layer(k, value, by)) for k, value in free]
            )
            for by in (quantum, -quantum)
        )
        return up, down

    def nonnegative(self) -> tuple[bool, ...]:
        """Which layers have no values below 0."""
        bounded = {a.post for a in self.arrows if a.mismatch.nonnegative}
        return tuple(k in bounded for k in range(self.depth))

    def project(self, y: PyTree) -> Layers:
        """Projection on the possible states: what must not be below 0 is rectified."""
        return tuple(
            jax.nn.relu(value) if low and value is not None else value
            for value, low in zip(self._of(y), self.nonnegative(), strict=True)
        )

    def forward(self, args: PyTree) -> Layers:
        """Forward pass: the values of all layers, each at its likeliest given the first that
        predicts it.

        For Fenchel-Young layers this is the forward pass of the network of ReLU and softmax units,
        and F is 0 there where nothing else is clamped.

        **Raises:** `ValueError` if a layer is neither clamped nor predicted from those that are.
        """
        z = [b.values if isinstance(b, Partial) else b for b in self._of(args)]
        for _ in range(self.depth):
            for a in self.arrows:
                if z[a.post] is None and (a.pre is None or z[a.pre] is not None):
                    z[a.post] = a.mismatch.mode(a.predict(None if a.pre is None else z[a.pre]))
        missing = [k for k, value in enumerate(z) if value is None]
        if missing:
            raise ValueError(f"args: nothing predicts layers {missing}; clamp them.")
        return tuple(z)

    def start(self, args: PyTree) -> Layers:
        """Initial state: what `forward` gives the layers that are free; one that must not be free
        is left out."""
        clamped = self._of(args)
        barred = {a.post for a in self.arrows if not a.mismatch.free}
        return tuple(
            value
            if isinstance(clamped[k], Partial)
            else None
            if clamped[k] is not None or k in barred
            else value
            for k, value in enumerate(self.forward(args))
        )

    def nudged(self, layer: int, strength: ArrayLike) -> "PredictiveCoding":
        """Nudged network: another `strength` of the arrows into a `layer`; below 0 it repels."""

        def with_strength(a: Arrow) -> Arrow:
            return (
                a
                if a.post != layer
                else eqx.tree_at(lambda a: a.strength, a, jnp.asarray(strength, a.strength.dtype))
            )

        if not any(a.post == layer for a in self.arrows):
            raise ValueError(f"layer: no arrow leads to layer {layer}.")
        return PredictiveCoding(with_strength(a) for a in self.arrows)
