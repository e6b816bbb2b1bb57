"""Doors of energies and of their methods."""

import jax
import jax.numpy as jnp
import numpy as np

from bpcjax import energies as en
from tests.doors.table import door

KEY = jax.random.key(0)
X = np.array([[1.0, -1.0, 1.0, 1.0], [1.0, 1.0, -1.0, 1.0], [-1.0, 1.0, 1.0, 1.0]])
Y = np.array([0.5, 1.0, -0.5, 2.0])
SEEN = np.array([True, True, False, True])
W = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, -1.0], [2.0, -1.0, 0.0]])
PAIR = np.zeros((2, 3, 2, 3))
COLUMNS = np.full((2, 3), 1 / 3)
RASTER = np.sin(np.arange(24.0)).reshape(3, 4, 2)
SPINS = np.where(RASTER > 0, 1.0, -1.0)


def modern() -> en.ModernHopfield:
    return en.ModernHopfield(X, 2.0)


def mlp(output=None) -> en.PredictiveCoding:
    return en.PredictiveCoding.mlp(KEY, (4, 3, 2), output=output)


def normal() -> en.MatrixNormal:
    return en.MatrixNormal.wishart(3, 4)


def bayesian() -> en.BayesianPredictiveCoding:
    return en.BayesianPredictiveCoding([en.BayesianArrow(0, 1, normal(), normal(), bias=False)])


def state():
    """Values and clamped layers of `mlp` with a Gaussian output."""
    return (None, np.array([0.5, 1.0, 0.2]), None), (Y, None, np.array([1.0, 0.5]))


def _cube(m):
    return m**3


def _layers():
    y, args = state()
    return dict(y=y, args=args)


def gaussian_mlp() -> en.PredictiveCoding:
    return mlp(en.Gaussian())


DOORS = {
    "energies.ModernHopfield": lambda: door(
        dict(patterns=X, beta=2.0, bias=np.zeros(3)), wide="patterns", positive="beta"
    ),
    "energies.ModernHopfield.from_prior": lambda: door(
        dict(patterns=X, beta=2.0, log_prior=np.zeros(3)),
        wide="patterns",
        shape="log_prior",
        on=lambda: en.ModernHopfield,
        positive="beta",
    ),
    "energies.ModernHopfield.scores": lambda: door(dict(y=Y, seen=SEEN), on=modern),
    "energies.ModernHopfield.posterior": lambda: door(dict(y=Y, seen=SEEN), on=modern),
    "energies.ModernHopfield.update": lambda: door(dict(y=Y, seen=SEEN), on=modern),
    "energies.ModernHopfield.__call__": lambda: door(dict(y=Y), on=modern),
    "energies.SparseHopfield": lambda: door(
        dict(patterns=X, beta=2.0, alpha=1.5, bias=np.zeros(3)),
        wide="patterns",
        positive="beta alpha",
    ),
    "energies.SparseHopfield.update": lambda: door(dict(y=Y), on=lambda: en.SparseHopfield(X, 2.0)),
    "energies.ClassicalHopfield": lambda: door(dict(weights=W, bias=np.zeros(3))),
    "energies.ClassicalHopfield.hebb": lambda: door(
        dict(patterns=X), wide="patterns", on=lambda: en.ClassicalHopfield
    ),
    "energies.ClassicalHopfield.pseudo_inverse": lambda: door(
        dict(patterns=X), wide="patterns", on=lambda: en.ClassicalHopfield
    ),
    "energies.GradedHopfield": lambda: door(
        dict(weights=W, beta=2.0, bias=np.zeros(3)), positive="beta"
    ),
    "energies.DenseHopfield": lambda: door(dict(patterns=X, separation=_cube), wide="patterns"),
    "energies.DenseHopfield.polynomial": lambda: door(
        dict(patterns=X, power=3),
        wide="patterns",
        on=lambda: en.DenseHopfield,
        counted="power",
        much="power",
    ),
    "energies.DelayHopfield": lambda: door(
        dict(patterns=RASTER, beta=2.0, bias=np.zeros(3)), shape="patterns", positive="beta"
    ),
    "energies.DelayHopfield.scores": lambda: door(
        dict(y=RASTER[0]), on=lambda: en.DelayHopfield(RASTER, 2.0)
    ),
    "energies.PhasorHopfield": lambda: door(
        dict(patterns=X, beta=2.0, bias=np.zeros(3)),
        wide="patterns",
        complex="patterns",
        positive="beta",
    ),
    "energies.ThresholdPhasor": lambda: door(
        dict(weights=W, threshold=0.5), nonnegative="threshold"
    ),
    "energies.CycleHopfield": lambda: door(dict(cycles=SPINS, efficacy=np.ones(4)), shape="cycles"),
    "energies.SequenceMemory": lambda: door(dict(patterns=X, separation=_cube), wide="patterns"),
    "energies.BCPNN": lambda: door(
        dict(weights=PAIR, bias=COLUMNS, temperature=1.0), positive="temperature"
    ),
    "energies.BCPNN.from_probabilities": lambda: door(
        dict(p=COLUMNS, joint=np.full((2, 3, 2, 3), 1 / 9), prior=0.5, temperature=1.0),
        on=lambda: en.BCPNN,
        positive="prior temperature",
    ),
    "energies.BCPNN.from_patterns": lambda: door(
        dict(patterns=np.array([[0, 1], [2, 0], [1, 1]]), units=3, prior=0.5),
        on=lambda: en.BCPNN,
        shape="patterns",
        positive="prior",
        much="units",
    ),
    "energies.Arrow": lambda: door(
        dict(
            pre=0,
            post=1,
            predict=en.DenseMap(np.ones((3, 4))),
            mismatch=en.Gaussian(),
            strength=1.0,
        ),
        much="pre post",
        none="",
    ),
    "energies.PredictiveCoding": lambda: door(
        dict(arrows=[en.Arrow(0, 1, en.DenseMap(np.ones((3, 4))), en.Gaussian())])
    ),
    "energies.PredictiveCoding.mlp": lambda: door(
        dict(key=KEY, sizes=(4, 3, 2)), on=lambda: en.PredictiveCoding
    ),
    "energies.PredictiveCoding.__call__": lambda: door(_layers(), on=gaussian_mlp, none="y"),
    "energies.PredictiveCoding.errors": lambda: door(_layers(), on=gaussian_mlp, none="y"),
    "energies.PredictiveCoding.stiffness": lambda: door(
        _layers(), on=gaussian_mlp, none="y", nan="y args"
    ),
    "energies.BayesianArrow": lambda: door(
        dict(pre=0, post=1, posterior=normal(), prior=normal(), activation=jnp.tanh, bias=True),
        much="pre post",
    ),
    "energies.BayesianPredictiveCoding": lambda: door(
        dict(arrows=[en.BayesianArrow(0, 1, normal(), normal(), bias=False)])
    ),
    "energies.Categorical": lambda: door({}),
    "energies.Gaussian": lambda: door(
        dict(precision=np.ones(3)), shape="precision", empty="precision", positive="precision"
    ),
    "energies.Rectified": lambda: door(
        dict(precision=np.ones(3)), shape="precision", empty="precision", positive="precision"
    ),
    "energies.Constant": lambda: door(dict(value=np.ones(3)), shape="value", empty="value"),
    "energies.DenseMap": lambda: door(
        dict(weights=np.ones((3, 4)), bias=np.zeros(3), activation=jnp.tanh), shape="weights"
    ),
    "energies.ConvolutionMap": lambda: door(
        dict(kernel=np.ones((2, 1, 3, 3)), bias=np.zeros(2), stride=1, activation=jnp.tanh),
        shape="kernel",
        counted="stride",
        much="stride",
    ),
    "energies.ResidualMap": lambda: door(dict(inner=en.DenseMap(np.ones((3, 3))))),
    "energies.Gammas": lambda: door(
        dict(scatter=np.ones(3), count=4.0),
        shape="scatter",
        empty="scatter",
        positive="scatter count",
    ),
    "energies.Wishart": lambda: door(dict(scatter=np.eye(3), count=5.0), positive="scatter count"),
    "energies.MatrixNormal": lambda: door(
        dict(mean=np.ones((3, 4)), precision=np.eye(4), noise=en.Wishart(np.eye(3), 5.0)),
        positive="precision",
    ),
    "energies.MatrixNormal.wishart": lambda: door(
        dict(rows=3, columns=4, weight_std=1.0, noise_std=1.0, count=5.0),
        on=lambda: en.MatrixNormal,
        positive="weight_std noise_std count",
        counted="rows columns",
    ),
    "energies.MatrixNormal.gammas": lambda: door(
        dict(rows=3, columns=4, weight_std=1.0, noise_std=1.0, count=5.0),
        on=lambda: en.MatrixNormal,
        positive="weight_std noise_std count",
        counted="rows columns",
    ),
    "energies.MatrixNormal.expected_energy": lambda: door(dict(z=Y[:3], a=Y), on=normal),
    "energies.SynapticNormal": lambda: door(
        dict(mean=np.ones((3, 4)), precision=np.ones((3, 4)), mismatch=en.Gaussian()),
        shape="precision",
        positive="precision",
    ),
    "energies.Partial": lambda: door(dict(values=Y, seen=SEEN)),
    "energies.lagrangians.RectifiedPower": lambda: door(
        dict(power=3), much="power", counted="power"
    ),
    "energies.lagrangians.LogSumExp": lambda: door(dict(beta=1.0), positive="beta"),
    "energies.lagrangians.LayerNorm": lambda: door(dict(gain=1.0, eps=1e-6), positive="gain eps"),
}
