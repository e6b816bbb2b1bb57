"""Scores of a trained network on a test set: accuracy, calibration, spikes, operations, energy."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax
from scipy.stats import rankdata

from bpcjax import cost
from bpcjax.energies import ConvolutionMap, PredictiveCoding
from bpcjax.models import AbstractPhases, NudgedPhases

from .data import Split
from .precision import single
from .predictive import Training, inputs_of

BINS = 15  # of confidence
STATISTICS = "max probability", "entropy", "epistemic"  # of `doubt`


def in_batches(function: Callable, x: np.ndarray, size: int = 500) -> list:
    """Leaves of a function of a batch [size, ...], over all of `x` [n, ...]."""
    parts = [jax.device_get(function(x[k : k + size])) for k in range(0, len(x), size)]
    return [np.concatenate(leaves) for leaves in zip(*map(jax.tree.leaves, parts), strict=True)]


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Reliability diagram of probabilities [n, classes]: the sums [3, bins] of samples, of their
    confidence and of right ones, by bins of confidence."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    weights = np.ones(len(right)), confidence, right
    return np.stack([np.bincount(which, weight, BINS) for weight in weights])


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error of probabilities [n, classes]: the gap of confidence and
    accuracy, averaged over bins of confidence (Guo et al. 2017)."""
    _, confidence, right = reliability(probabilities, labels)
    return float(np.abs(right - confidence).sum() / len(labels))


def scores(outputs: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy, mean negative log likelihood (nats), calibration error of outputs [n, classes]."""
    log = log_softmax(outputs, axis=1)
    right = outputs.argmax(axis=1) == labels
    return {
        "accuracy": float(right.mean()),
        "nll": float(-log[np.arange(len(labels)), labels].mean()),
        "ece": calibration_error(np.exp(log), labels),
    }


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Area under the ROC curve: how often one of `outside` has the larger value, ties by half."""
    rank = rankdata(np.concatenate([inside, outside]))[len(inside) :].sum()
    n, m = len(inside), len(outside)
    return float((rank - m * (m + 1) / 2) / (n * m))


def doubt(p: np.ndarray) -> np.ndarray:
    """Uncertainty [3, n] of probabilities [networks, n, classes]: less the greatest probability,
    the total entropy, and its epistemic part."""
    mean = p.mean(axis=0)
    total = -(mean * np.log(mean + 1e-30)).sum(axis=-1)
    noise = -(p * np.log(p + 1e-30)).sum(axis=-1).mean(axis=0)
    return np.stack([-mean.max(axis=-1), total, total - noise])


def products(energy: PredictiveCoding, x: np.ndarray) -> tuple[list[int], list[int]]:
    """Multiply-accumulates [arrows] of each arrow's prediction, and the size of the layer before
    it, for one input `x`."""
    values, counts, sizes = jnp.asarray(x), [], []
    for arrow in energy.arrows:
        after = jax.eval_shape(arrow.predict, values)
        if isinstance(arrow.predict, ConvolutionMap):
            each = int(np.prod(arrow.predict.kernel.shape[1:]))
            counts.append(after.size * each)
        else:
            counts.append(after.size * values.size)
        sizes.append(values.size)
        values = jnp.zeros(after.shape, after.dtype)
    return counts, sizes


def ledger() -> cost.Ledger:
    """Energy ledger of arithmetic at 32 bits, 45 nm; memory is not priced."""
    return cost.Ledger(cost.FP32)


def measure(
    energy: PredictiveCoding,
    split: Split,
    settings: Training,
    phases: AbstractPhases,
    *,
    steps: int = 20,
    each: bool = False,
) -> dict[str, np.ndarray]:
    """Metrics: means over a test set, `curve` and `curve_spikes` [steps] of a spiking network
    after each number of steps. With `each`, also which samples were `right` [n].

    Label-free and from silence. A current at the input costs a multiply-accumulate a synapse, once;
    a spike costs an addition at each synapse it reaches (fan-outs of maps are their mean).
    """
    phases = single(phases)
    x = np.asarray(inputs_of(settings, jnp.asarray(split.x, jnp.float32)))
    macs, sizes = products(energy, x[0])
    fan = np.array(macs) / np.array(sizes)
    quantum = settings.input_quantum
    arriving = 0.0 if quantum is None else float(x.sum(dtype=float) / quantum / len(x))
    if not isinstance(phases, NudgedPhases):
        run = eqx.filter_jit(jax.vmap(lambda x: phases.values(energy, x)[1][-1]))
        (outputs,) = in_batches(run, x)
        counts = cost.Counts(macs=float(sum(macs)))
        if quantum is not None:
            counts = cost.Counts(macs=float(sum(macs[1:])), synaptic=arriving * fan[0])
        metrics, last = scores(outputs, split.labels), outputs
        curve = np.full(steps, metrics["accuracy"])
        total, spikes = np.zeros(len(fan) - 1), np.zeros(steps)
    else:
        run = eqx.filter_jit(jax.vmap(lambda x: phases.settle(energy, x, steps)))
        outputs, sent = in_batches(run, x)
        metrics, last = scores(outputs[:, -1], split.labels), outputs[:, -1]
        curve = (outputs.argmax(axis=2) == split.labels[:, None]).mean(axis=0)
        per_step = sent.mean(axis=0)  # [steps, hidden]
        # What is read at step k came of the spikes of the steps before it.
        spikes = per_step.sum(axis=1).cumsum() - per_step.sum(axis=1)
        total = per_step.sum(axis=0)
        added = float(total @ fan[1:]) + arriving * fan[0]
        counts = cost.Counts(synaptic=added, macs=float(macs[0]) if quantum is None else 0.0)
    samples = {"right": last.argmax(axis=1) == split.labels} if each else {}
    return {name: np.asarray(value) for name, value in (metrics | samples).items()} | {
        "spikes": np.asarray(total.sum()),
        "input_spikes": np.asarray(arriving),
        "synaptic": np.asarray(counts.synaptic),
        "macs": np.asarray(counts.macs),
        "picojoules": np.asarray(ledger().energy(counts)),
        "curve": curve,
        "curve_spikes": spikes,
    }
