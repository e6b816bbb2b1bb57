"""Linear predictive coding: a chain of Gaussian layers, in closed form.

`z_0 = x` and `z_l = W_l z_{l-1} + noise` of covariance `Sigma_l`, up to `z_L = y`. The free energy
`F(z) = sum_l eps_l . Sigma_l^-1 eps_l / 2`, `eps_l = z_l - W_l z_{l-1}`, is minus the logarithm of
the joint density up to a constant, and quadratic. So with `x` and `y` clamped the posterior of the
hidden states is normal, with F's minimum as mean and its Hessian H as precision, and

    -log p(y | x) = min F + (sum_l log det Sigma_l + log det H + n_y log(2 pi)) / 2

(Laplace's approximation, exact here). Directly, `y` given `x` is normal with the mean
`W_L ... W_1 x` and the covariance `S = sum_l P_l Sigma_l P_l.T`, `P_l = W_L ... W_{l+1}`: so
`min F = (y - mean) . S^-1 (y - mean) / 2`.

`weights` and `covariances` are lists of matrices [n_l, n_{l-1}] and [n_l, n_l]; states are rows,
and `x` [..., n_0] and `y` [..., n_L] may carry leading axes.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ._require import require


def _checked(weights, covariances):
    weights = [np.asarray(w, float) for w in weights]
    covariances = [np.asarray(s, float) for s in covariances]
    require(len(weights) == len(covariances) > 0, "give one covariance for each weight matrix.")
    for w, below in zip(weights[1:], weights[:-1], strict=True):
        require(w.shape[1] == below.shape[0], "each weight matrix must act on the layer below.")
    for w, s in zip(weights, covariances, strict=True):
        require(s.shape == (w.shape[0],) * 2, "covariances must be square, of their layer's size.")
        require(np.allclose(s, s.T), "covariances must be symmetric.")
        require(np.linalg.eigvalsh(s) > 0, "covariances must be positive definite.")
    return weights, covariances


def _log_det(matrix):
    return np.linalg.slogdet(matrix)[1]


def _quadratic(miss, covariance):
    return 0.5 * np.sum(miss * np.linalg.solve(covariance, miss[..., None])[..., 0], axis=-1)


def marginal(weights, covariances):
    """The map `W_L ... W_1` from `x` to the mean of `y`, and the covariance `S` of `y`."""
    weights, covariances = _checked(weights, covariances)
    path, s = np.eye(weights[-1].shape[0]), 0.0
    for w, sigma in zip(weights[::-1], covariances[::-1], strict=True):
        s = s + path @ sigma @ path.T
        path = path @ w
    return path, s


def log_evidence(weights, covariances, x, y):
    """`log p(y | x)` of each row, from the marginal."""
    path, s = marginal(weights, covariances)
    size = s.shape[0]
    return -least_energy(weights, covariances, x, y) - 0.5 * (
        _log_det(s) + size * np.log(2 * np.pi)
    )


def least_energy(weights, covariances, x, y):
    """`min F` over the hidden states, of each row."""
    path, s = marginal(weights, covariances)
    miss = np.asarray(y, float) - np.asarray(x, float) @ path.T
    return _quadratic(miss, s)


def energy(weights, covariances, states):
    """`F` of the states `z_0, ..., z_L`, of each row."""
    weights, covariances = _checked(weights, covariances)
    require(len(states) == len(weights) + 1, "give the states of all layers, clamped ones too.")
    total = 0.0
    for w, sigma, below, z in zip(weights, covariances, states[:-1], states[1:], strict=True):
        total = total + _quadratic(np.asarray(z) - np.asarray(below) @ w.T, sigma)
    return total


def hessian(weights, covariances):
    """Of F by all hidden states, in the order of the layers: the precision of the posterior.

    Blocks `H_ll = Pi_l + W_{l+1}.T Pi_{l+1} W_{l+1}` and `H_{l+1,l} = -Pi_{l+1} W_{l+1}`, with
    `Pi = Sigma^-1`. Its least eigenvalue is the rate at which inference by descent converges.
    """
    weights, covariances = _checked(weights, covariances)
    require(len(weights) > 1, "a chain of one layer has no hidden states.")
    ends = np.cumsum([0] + [w.shape[0] for w in weights[:-1]])
    h = np.zeros((ends[-1], ends[-1]))
    layers = [slice(*pair) for pair in zip(ends[:-1], ends[1:], strict=True)]
    for k, layer in enumerate(layers):
        up = np.linalg.solve(covariances[k + 1], weights[k + 1])
        h[layer, layer] = np.linalg.inv(covariances[k]) + weights[k + 1].T @ up
        if k + 1 < len(layers):
            h[layers[k + 1], layer], h[layer, layers[k + 1]] = -up, -up.T
    return h


def posterior(weights, covariances, x, y):
    """Mean [..., hidden] and covariance of the hidden states, layers one after the other.

    The mean solves `H z = Pi_1 W_1 x` (first layer) `+ W_L.T Pi_L y` (last).
    """
    h = hessian(weights, covariances)
    weights, covariances = _checked(weights, covariances)
    x, y = np.asarray(x, float), np.asarray(y, float)
    drive = np.zeros((*np.broadcast_shapes(x.shape[:-1], y.shape[:-1]), h.shape[0]))
    first, last = weights[0].shape[0], weights[-1].shape[1]
    drive[..., :first] += x @ np.linalg.solve(covariances[0], weights[0]).T
    drive[..., -last:] += y @ np.linalg.solve(covariances[-1], weights[-1])
    factor = cho_factor(h)
    mean = cho_solve(factor, drive.reshape(-1, h.shape[0]).T).T.reshape(drive.shape)
    return mean, cho_solve(factor, np.eye(h.shape[0]))
