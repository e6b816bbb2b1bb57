"""Doors of models: memories, attention, predictive coding, classifiers, winner-take-all."""

import jax
import jax.numpy as jnp
import numpy as np

import bpcjax as bpc
from bpcjax import energies as en, models as md
from tests.doors.energies import SEEN, X, Y, gaussian_mlp, modern
from tests.doors.table import door

KEY = jax.random.key(0)
QUERIES = np.stack([Y, -Y])
VALUES = np.arange(6.0).reshape(3, 2)


def memory() -> md.SpikingHopfield:
    return md.SpikingHopfield(modern(), 10.0)


def layers() -> bpc.Layers:
    return bpc.Layers([bpc.Layer(np.ones((4, 2)), bpc.neurons.LIF(), 2)])


def classifier() -> md.Classifier:
    return md.Classifier(layers())


def causes(size: int = 3) -> en.PredictiveCoding:
    return en.PredictiveCoding(
        [
            en.Arrow(0, 1, en.DenseMap(np.ones((2, size))), en.Gaussian()),
            en.Arrow(None, 0, en.Constant(np.zeros(size)), en.Gaussian()),
        ]
    )


def known():
    """State and clamped layers of `causes`."""
    return dict(y0=(np.ones(3), None), args=(None, np.ones(2)))


def attended(**more):
    return dict(query=Y, keys=X, values=VALUES, beta=2.0) | more


def _square(x):
    return 0.5 * jnp.sum(x * x)


def both_ways() -> en.PredictiveCoding:
    return md.bidirectional(KEY, (4, 3, 2))


def certificate() -> md.RecallCertificate:
    return md.certify(X, 2.0, Y)


DOORS = {
    "models.Backpropagation": lambda: door({}),
    "models.Hold": lambda: door({}),
    "models.Shot": lambda: door({}),
    "models.EventCode": lambda: door({}),
    "models.PoissonLikelihood": lambda: door({}),
    "models.ClampedPhase": lambda: door(
        dict(rate=0.5, steps=4), positive="rate", counted="steps", much="steps"
    ),
    "models.ClampedPhase.learn": lambda: door(
        dict(energy=both_ways(), x=np.abs(Y), y=np.array([1.0, 0.0])),
        on=md.ClampedPhase,
        heavy=True,
    ),
    "models.Classifier": lambda: door(
        dict(layers=layers(), code=md.CurrentCode(), readout=md.MembraneReadout(), steps=4, dt=1.0),
        counted="steps",
        positive="dt",
        much="steps",
    ),
    "models.Classifier.__call__": lambda: door(
        dict(x=QUERIES), on=classifier, heavy=True, shape="x", finite="x"
    ),
    "models.CurrentCode": lambda: door(dict(gain=1.0)),
    "models.DeltaCode": lambda: door(dict(quantum=4.0), positive="quantum"),
    "models.LatencyCode": lambda: door(dict(curve=bpc.encode.Linear())),
    "models.RateCode": lambda: door(dict(rate=0.1), positive="rate"),
    "models.FirstSpikeReadout": lambda: door(dict(tau=2.0), positive="tau"),
    "models.MembraneReadout": lambda: door(dict(gain=1.0), positive="gain"),
    "models.RateReadout": lambda: door(dict(gain=10.0), positive="gain"),
    "models.DiehlCook": lambda: door(
        dict(dt=1.0, substeps=2, gain=15.0, tau=100.0, hold=5.0),
        positive="dt tau",
        nonnegative="gain hold",
        counted="substeps",
        much="substeps",
    ),
    "models.DiehlCook.drive": lambda: door(
        dict(weights=np.ones((3, 4)), spikes=np.ones((5, 4))),
        on=md.DiehlCook,
        shape="spikes weights",
    ),
    "models.DiehlCook.spikes": lambda: door(
        dict(thresholds=np.ones(3), drive=np.ones((5, 3))),
        on=md.DiehlCook,
        heavy=True,
        shape="drive",
    ),
    "models.FlipLikelihood": lambda: door(dict(flip=0.1), positive="flip"),
    "models.GaussianLikelihood": lambda: door(dict(sigma=0.5), positive="sigma"),
    "models.StudentLikelihood": lambda: door(dict(shape=0.5, rate=0.5), positive="shape rate"),
    "models.LIFMemory": lambda: door(
        dict(
            energy=modern(),
            rate=100.0,
            tau=1.0,
            membrane=0.01,
            gain=0.2,
            drop=0.5,
            mode=md.Hold(),
            key=KEY,
        ),
        positive="rate tau membrane gain",
        nonnegative="drop",
    ),
    "models.LIFMemory.start": lambda: door(dict(query=Y), on=lambda: md.LIFMemory(modern())),
    "models.LinearMemory.store": lambda: door(
        dict(keys=X, values=VALUES, beta=2.0),
        on=lambda: md.LinearMemory,
        positive="beta",
        shape="keys values",
    ),
    "models.NudgedPhases": lambda: door(
        dict(quantum=0.5, error_quantum=0.05, output_quantum=0.05),
        positive="quantum error_quantum output_quantum",
    ),
    "models.PredictiveCodingNetwork": lambda: door(
        dict(energy=gaussian_mlp(), tau=1.0), positive="tau"
    ),
    "models.RandomFeatures.draw": lambda: door(
        dict(key=KEY, count=8, width=4), on=lambda: md.RandomFeatures, counted="count width"
    ),
    "models.RatePhases": lambda: door(
        dict(strength=1.0, steps=2), positive="strength", counted="steps", much="steps"
    ),
    "models.RecallCertificate.spikes_for": lambda: door(
        dict(error=0.1), on=certificate, positive="error", shape="error", empty="error"
    ),
    "models.RecallCertificate.beta_for": lambda: door(
        dict(error=0.1), on=certificate, positive="error"
    ),
    "models.RecallCertificate.theta_for": lambda: door(
        dict(error=0.1), on=certificate, nonnegative="error", shape="error", empty="error"
    ),
    "models.RecallCertificate.expected_share": lambda: door(
        dict(theta=3.0), on=certificate, nonnegative="theta"
    ),
    "models.SequentialMemory": lambda: door(
        dict(
            energy=modern(),
            likelihood=md.GaussianLikelihood(0.5),
            source=md.SequentialMemory.events(np.arange(4)),
            theta=3.0,
        ),
        positive="theta",
    ),
    "models.SequentialMemory.events": lambda: door(
        dict(order=np.arange(4), seen=SEEN, interval=1.0, block=2),
        on=lambda: md.SequentialMemory,
        positive="interval",
        counted="block",
        much="block",
    ),
    "models.SequentialStore": lambda: door(
        dict(energy=modern(), sigma=0.5, order=np.arange(4), block=2),
        positive="sigma",
        counted="block",
        much="block",
        heavy=True,
    ),
    "models.SoftWinnerTakeAll": lambda: door(
        dict(rate=0.1, tau=10.0, key=KEY), positive="rate tau"
    ),
    "models.SpikingHopfield": lambda: door(
        dict(
            energy=modern(), rate=100.0, tau=1.0, mode=md.Hold(), key=KEY, delay=1.0, refractory=1.0
        ),
        positive="rate tau",
        nonnegative="delay refractory",
        infinite="delay refractory",
    ),
    "models.SpikingHopfield.start": lambda: door(dict(query=Y), on=memory),
    "models.SpikingPredictiveCoding": lambda: door(
        dict(
            energy=causes(),
            quantum=0.5,
            error_quantum=0.1,
            temperature=0.5,
            cost=0.1,
            rate=1.0,
            speed=10.0,
        ),
        positive="quantum error_quantum rate speed",
        nonnegative="temperature cost",
    ),
    "models.Thermal": lambda: door(dict(value=0.5), nonnegative="value"),
    "models.Tracking": lambda: door(
        dict(
            energy=causes(),
            sizes=(np.ones(3), np.ones(2)),
            quanta=(np.ones(3), np.ones(2)),
            error_quanta={"0->1": np.ones(2), "prior->0": np.ones(3)},
            lag=0.75,
            most=1.0,
            steps=5,
            averaged=2,
        ),
        positive="lag",
        nonnegative="most",
        counted="steps averaged",
        much="steps averaged",
        shape="sizes quanta error_quanta",
    ),
    "models.TwoLayerHopfield": lambda: door(
        dict(
            patterns=X,
            visible=_square,
            hidden=_square,
            tau_v=1.0,
            tau_h=0.1,
            inputs=np.zeros(4),
            bias=np.zeros(3),
        ),
        positive="tau_v tau_h",
    ),
    "models.TwoLayerHopfield.start": lambda: door(
        dict(query=Y), on=lambda: md.TwoLayerHopfield(X, _square, _square)
    ),
    "models.VisibleSpikes": lambda: door(
        dict(rate=10.0, tau=1.0, mode=md.Hold()), positive="rate tau"
    ),
    "models.WinnerTakeAll": lambda: door(
        dict(
            neuron=bpc.neurons.LIF(),
            size=3,
            excitation=3000.0,
            inhibition=400.0,
            tau_e=1.0,
            tau_i=20.0,
        ),
        counted="size",
        positive="tau_e tau_i",
        nonnegative="excitation inhibition",
        much="size",
    ),
    "models.accelerate": lambda: door(
        dict(energy=causes(), **known(), sizes=(np.full(3, 0.1), None), steps=3),
        heavy=True,
        counted="steps",
        much="steps",
    ),
    "models.attention": lambda: door(
        attended(bias=np.zeros(3), steps=1), positive="beta", counted="steps", wide="values"
    ),
    "models.hard_attention": lambda: door(
        {k: v for k, v in attended(bias=np.zeros(3)).items() if k != "beta"},
        wide="values",
        nan="values",
    ),
    "models.linear_attention": lambda: door(
        attended(features=md.elu_features), positive="beta", wide="values"
    ),
    "models.sparse_attention": lambda: door(
        attended(alpha=1.5, bias=np.zeros(3)), positive="beta alpha", wide="values"
    ),
    "models.bandit_search": lambda: door(
        dict(patterns=X, y=QUERIES, sigma=1.0, delta=0.01, order=np.arange(4), block=2),
        positive="sigma delta",
        counted="block",
        much="block",
        empty="y",
        heavy=True,
    ),
    "models.partial_distance_search": lambda: door(
        dict(patterns=X, y=QUERIES, order=np.arange(4), block=2, first=np.array([0, 1])),
        counted="block",
        much="block",
        empty="y",
        heavy=True,
    ),
    "models.bidirectional": lambda: door(
        dict(key=KEY, sizes=(4, 3, 2), mean=np.zeros(4), precisions=(0.1, 0.2))
    ),
    "models.by_information": lambda: door(
        dict(energy=modern(), sigma=0.5, levels=9, points=17), positive="sigma", heavy=True
    ),
    "models.by_variance": lambda: door(dict(energy=modern())),
    "models.certify": lambda: door(
        dict(patterns=X, beta=2.0, query=Y, bias=np.zeros(3)), positive="beta", heavy=True
    ),
    "models.elu_features": lambda: door(dict(x=Y), shape="x", empty="x"),
    "models.event_path": lambda: door(
        dict(memory=memory(), query=Y, key=KEY, spikes=5, t1=1.0),
        nonnegative="t1",
        infinite="t1",
        counted="spikes",
        heavy=True,
    ),
    "models.feedback_stiffness": lambda: door(
        dict(energy=gaussian_mlp(), y=(None, np.ones(3), None), args=(Y, None, np.ones(2))),
        nan="y args",
        none="y",
    ),
    "models.unit_stiffness": lambda: door(
        dict(energy=gaussian_mlp(), y=(None, np.ones(3), None)), shape="y", nan="y"
    ),
    "models.ChangePointFilter": lambda: door(
        dict(prior=np.ones(3), hazard=0.1, phase=np.array([0, 1, 1])),
        nonnegative="prior hazard",
        shape="prior hazard",
        range="phase",
        wide="phase",
        zero="hazard",
    ),
    "models.ChangePointFilter.__call__": lambda: door(
        dict(evidence=np.zeros((4, 2, 1))),
        on=lambda: md.ChangePointFilter(np.ones(2), 0.1),
        empty="evidence",
        nan="evidence",
        infinite="evidence",
        negative="evidence",
        huge="evidence",
        wide="evidence",
        heavy=True,
    ),
    "models.answers": lambda: door(
        dict(joint=np.full((4, 2, 3), 1 / 6), alpha=0.1),
        nonnegative="alpha",
        wide="joint",
        nan="joint",
        heavy=True,
    ),
    "models.scaled_evidence": lambda: door(
        dict(outputs=np.zeros((4, 2, 3)), log_prior=np.zeros((2, 3)), of_class=1.0, of_phase=1.0),
        empty="outputs",
        shape="outputs",
        negative="of_class of_phase",
        zero="of_class of_phase",
    ),
    "models.gram": lambda: door(dict(memory=memory())),
    "models.log_mean_latency": lambda: door(
        dict(energy=modern(), query=Y, rate=1.0), positive="rate"
    ),
    "models.retrieve": lambda: door(
        dict(memory=memory(), queries=QUERIES, key=KEY, spikes=4, kernel=2.0 * X @ X.T),
        counted="spikes",
        empty="queries",
        heavy=True,
    ),
    "models.sample_first_spike": lambda: door(
        dict(energy=modern(), query=Y, key=KEY, rate=1.0), positive="rate"
    ),
    "models.sequential_recall": lambda: door(
        dict(
            energy=modern(),
            y=QUERIES,
            theta=3.0,
            sigma=0.5,
            seen=SEEN,
            order=np.arange(4),
            block=2,
            lead=2.0,
            budget=4,
        ),
        positive="theta sigma lead",
        counted="block budget",
        much="block budget",
        empty="y",
        infinite="theta lead",
        shape="",
        heavy=True,
    ),
    "models.settle": lambda: door(
        dict(network=md.PredictiveCodingNetwork(causes()), **known(), tol=1e-6, max_steps=64),
        heavy=True,
        positive="tol",
        counted="max_steps",
    ),
    "models.smallest_beta": lambda: door(
        dict(patterns=X, query=Y, memory=1, miss=0.1, bias=np.zeros(3)), positive="miss"
    ),
    "models.stream_recall": lambda: door(
        dict(
            energy=modern(),
            frames=QUERIES,
            theta=3.0,
            sigma=0.5,
            threshold=0.1,
            hazard=0.1,
            stay=0.5,
            successor=np.array([1, 2, 0]),
            alarm=1e-3,
            order=np.arange(4),
            block=2,
        ),
        positive="theta sigma",
        nonnegative="threshold hazard stay",
        counted="block",
        much="block",
        shape="frames",
        empty="frames",
        infinite="theta threshold",
        range="",
        heavy=True,
    ),
    "models.surprise_bound": lambda: door(
        dict(size=4, alarm=1e-3), positive="alarm", counted="size", much="size"
    ),
}
