"""Doors of learning rules, posteriors and certificates."""

import jax
import numpy as np
import optax

import bpcjax as bpc
from bpcjax import learning as lr
from tests.doors.energies import W, X, Y, modern
from tests.doors.table import door

KEY = jax.random.key(0)
SHARE = np.array([0.2, 0.5, 0.3])
PHM = np.ones((3, 2, 2))
WEIGHTS = np.full((2, 3), 0.5)


def evidence() -> lr.NormalEvidence:
    return lr.NormalEvidence(np.ones(3), np.array(X), np.ones((3, 4)))


def train() -> bpc.Spikes:
    return bpc.Spikes(np.array([0.5, 1.0, 3.0, np.inf]), np.array([0, 1, 0, -1]))


def mixture() -> lr.Mixture:
    return lr.Mixture(np.log(np.abs(X) / 5 + 0.1), np.log(SHARE))


def belief() -> lr.Belief:
    return lr.Belief(np.ones(4), np.ones(4))


def moment() -> lr.Moment:
    return lr.Moment(np.asarray(1.0), np.ones(3), np.ones(2))


def _rule(pre, post, rate):
    return rate * post[:, None] * pre[None]


def _owners():
    return (lr.Pre(), lr.Post(), lr.Shared())


def _schedule(count):
    return 0.1


def wiring() -> lr.Wiring:
    return lr.Wiring({"up": ("a", "b")})


def _step(pre, weights):
    return weights @ pre


DOORS = {
    "learning.BayesianNeuron": lambda: door(
        dict(rate=0.02, threshold=0.0, width=1.0, tau=20.0), positive="rate width tau"
    ),
    "learning.BayesianNeuron.update": lambda: door(
        dict(belief=belief(), x=Y, spikes=1.0, dt=1.0),
        on=lr.BayesianNeuron,
        positive="dt",
        nonnegative="spikes",
    ),
    "learning.BayesianNeuron.potentials": lambda: door(
        dict(inputs=np.ones((5, 4)), dt=1.0),
        on=lr.BayesianNeuron,
        positive="dt",
        shape="inputs",
        heavy=True,
    ),
    "learning.BayesianNeuron.fire": lambda: door(
        dict(weights=np.ones(4), x=np.ones((5, 4)), dt=1.0, key=KEY),
        on=lr.BayesianNeuron,
        positive="dt",
        heavy=True,
    ),
    "learning.Dirichlet": lambda: door(
        dict(concentration=1.0, keep=0.9),
        positive="concentration keep",
        shape="concentration",
        empty="concentration",
    ),
    "learning.Dirichlet.update": lambda: door(
        dict(seen=PHM, y=np.eye(2), share=SHARE), on=lr.Dirichlet, nonnegative="seen y share"
    ),
    "learning.Dirichlet.mean": lambda: door(
        dict(seen=PHM), on=lr.Dirichlet, shape="seen", nonnegative="seen"
    ),
    "learning.Dirichlet.init": lambda: door(
        dict(memories=3, columns=2, units=2), on=lr.Dirichlet, counted="units"
    ),
    "learning.Dirichlet.log_predictive": lambda: door(
        dict(seen=PHM, y=np.eye(2)), on=lr.Dirichlet, nonnegative="seen y"
    ),
    "learning.Normal": lambda: door(
        dict(beta=1.0, prior_mean=np.zeros(4), prior_count=1.0, keep=0.9),
        shape="prior_mean",
        empty="prior_mean",
        positive="beta prior_count keep",
    ),
    "learning.Normal.update": lambda: door(
        dict(seen=evidence(), y=Y, share=SHARE), on=lambda: lr.Normal(1.0), nonnegative="share"
    ),
    "learning.Normal.log_predictive": lambda: door(
        dict(seen=evidence(), y=Y), on=lambda: lr.Normal(1.0)
    ),
    "learning.Normal.init": lambda: door(dict(memories=3, size=4), on=lambda: lr.Normal(1.0)),
    "learning.NormalGamma": lambda: door(
        dict(prior_mean=np.zeros(4), prior_count=1.0, shape=1.0, scale=1.0, keep=0.9),
        shape="prior_mean",
        empty="prior_mean",
        positive="prior_count shape scale keep",
    ),
    "learning.NormalGamma.update": lambda: door(
        dict(seen=evidence(), y=Y, share=SHARE), on=lr.NormalGamma, nonnegative="share"
    ),
    "learning.Free": lambda: door({}),
    "learning.Hard": lambda: door(dict(low=0.0, high=1.0)),
    "learning.Soft": lambda: door(dict(low=0.0, high=1.0, power=1.0), nonnegative="power"),
    "learning.Window": lambda: door(
        dict(a_plus=0.01, a_minus=0.01, tau_plus=20.0, tau_minus=20.0),
        positive="tau_plus tau_minus",
        nonnegative="a_plus a_minus",
    ),
    "learning.Window.__call__": lambda: door(
        dict(delay=np.array([1.0, -2.0])), on=lr.Window, shape="delay", empty="delay", nan="delay"
    ),
    "learning.TraceSTDP": lambda: door(dict(window=lr.Window(), bounds=lr.Free())),
    "learning.TraceSTDP.update": lambda: door(
        dict(seen=moment(), state=lr.TraceSTDP().init(WEIGHTS), weights=WEIGHTS),
        on=lr.TraceSTDP,
        nan="weights",
    ),
    "learning.TriggeredSTDP": lambda: door(
        dict(rate=0.01, tau=20.0, target=0.4, high=1.0, power=1.0),
        positive="tau high",
        nonnegative="rate target power",
    ),
    "learning.RewardSTDP": lambda: door(
        dict(rule=lr.TraceSTDP(), tau=1000.0, rate=1.0, bounds=lr.Free()),
        positive="tau",
        nonnegative="rate",
    ),
    "learning.SpikeTraces": lambda: door(
        dict(tau_z=10.0, tau_e=100.0, tau_p=1000.0, f_max=0.1), positive="tau_z tau_e tau_p f_max"
    ),
    "learning.SpikeTraces.update": lambda: door(
        dict(traces=lr.SpikeTraces().init(2, 3), spikes=np.ones((2, 3)), dt=1.0),
        on=lr.SpikeTraces,
        nonnegative="spikes dt",
        heavy=True,
    ),
    "learning.SpikeTraces.init": lambda: door(dict(columns=2, units=3), on=lr.SpikeTraces),
    "learning.SpikeTraces.run": lambda: door(
        dict(spikes=np.ones((4, 2, 3)), dt=1.0),
        on=lr.SpikeTraces,
        shape="spikes",
        nonnegative="dt",
        heavy=True,
    ),
    "learning.Neurons": lambda: door(
        dict(population="a", axis=-1), count="axis", zero="axis", much="axis"
    ),
    "learning.Weights": lambda: door(
        dict(arrow="up", post=-2, pre=-1), count="post pre", much="post pre", zero="post pre"
    ),
    "learning.Pre": lambda: door(dict(axis=-1), count="axis", much="axis"),
    "learning.Post": lambda: door(dict(axis=-1), count="axis", much="axis"),
    "learning.Synapse": lambda: door(dict(post=-2, pre=-1), count="post pre", much="post pre"),
    "learning.Shared": lambda: door({}),
    "learning.Elsewhere": lambda: door({}),
    "learning.Wiring": lambda: door(dict(arrows={"up": ("a", "b")}, broadcasts=(("a", "b"),))),
    "learning.append": lambda: door(dict(memory=modern(), pattern=Y, log_prior=0.5)),
    "learning.overwrite": lambda: door(dict(memory=modern(), row=1, pattern=Y, log_prior=0.5)),
    "learning.averages": lambda: door(dict(rate=0.1), positive="rate"),
    "learning.categorical": lambda: door(dict(mixture=mixture())),
    "learning.certificate": lambda: door(
        dict(rule=_rule, args=(np.ones(3), np.ones(2), 0.1), owners=_owners()),
        heavy=True,
        shape="args",
        nan="args",
        complex="args",
    ),
    "learning.certify_step": lambda: door(
        dict(
            step=_step,
            args=(np.ones(3), np.ones((2, 3))),
            owners=(lr.Neurons("a"), lr.Weights("up")),
            outputs=lr.Neurons("b"),
            wiring=wiring(),
        ),
        heavy=True,
        nan="args",
        complex="args",
    ),
    "learning.conjugate": lambda: door(
        dict(prior=(np.ones(3),), keep=0.9), positive="keep", shape="prior", nan=""
    ),
    "learning.conjugate_precision": lambda: door(
        dict(error=np.ones((5, 3)), variance=np.ones(3)),
        shape="error variance",
        nonnegative="variance",
    ),
    "learning.delta_rule": lambda: door({}),
    "learning.spike_em": lambda: door({}),
    "learning.precision_slope": lambda: door({}),
    "learning.gaussian": lambda: door(dict(beta=1.0), positive="beta"),
    "learning.growing_step": lambda: door(
        dict(rate=0.1, total=100, growth=8.2, warm=10, least=0.02),
        positive="rate growth",
        counted="total",
        nonnegative="least",
        much="total warm",
    ),
    "learning.hebb": lambda: door(dict(weights=W, pattern=X[0, :3], keep=0.9)),
    "learning.hebbian": lambda: door(
        dict(
            predict=bpc.energies.DenseMap(np.ones((3, 4))),
            pre=np.ones((5, 4)),
            post=np.ones((5, 3)),
        ),
        heavy=True,
    ),
    "learning.incremental": lambda: door(dict(values=optax.sgd(0.1), weights=optax.sgd(0.1))),
    "learning.feedback_alignment": lambda: door(dict(rule=optax.sgd(0.1))),
    "learning.squared_products": lambda: door(
        dict(
            predict=bpc.energies.DenseMap(np.ones((3, 4))),
            pre=np.ones((5, 4)),
            post=np.ones((5, 3)),
        ),
        heavy=True,
    ),
    "learning.synaptic_filter": lambda: door(
        dict(deviation=0.1, window=10.0, count=1.0, rate=1.0, center=0.0),
        positive="deviation window count rate",
        finite="deviation count rate center",
        zero="center",
        negative="center",
    ),
    "learning.coins": lambda: door(dict(key=KEY, shape=(3, 4))),
    "learning.draw_synapses": lambda: door(
        dict(
            key=KEY,
            mean=(np.ones((3, 4)),),
            state=lr.SynapticState((np.ones((3, 4)),)),
            noise=jax.random.normal,
        ),
        shape="mean",
    ),
    "learning.kolen_pollack": lambda: door(dict(rule=optax.sgd(0.1))),
    "learning.learn": lambda: door(
        dict(
            rule=optax.chain(lr.spike_em(), optax.scale(0.1)),
            energy=lr.categorical,
            mixture=mixture(),
            inputs=np.abs(X),
            key=KEY,
        ),
        shape="inputs",
        heavy=True,
    ),
    "learning.log_evidence": lambda: door(dict(energy=modern(), y=Y)),
    "learning.momentum": lambda: door(
        dict(schedule=_schedule, trace=0.9, decay=1e-4), nonnegative="trace decay"
    ),
    "learning.natural_gradient": lambda: door(
        dict(prior=(np.ones(3),), scale=10.0, rate=0.5), positive="scale rate", shape="prior"
    ),
    "learning.pair_sum": lambda: door(
        dict(window=lr.Window(), pre=train(), post=train(), shape=(2, 2))
    ),
    "learning.projection": lambda: door(dict(patterns=X), shape="patterns"),
    "learning.replay": lambda: door(
        dict(
            rule=lr.TraceSTDP(), weights=np.ones((2, 2)), pre=train(), post=train(), t0=0.0, t1=5.0
        ),
        finite="t0 t1",
        wide="weights",
        heavy=True,
    ),
    "learning.robbins_monro": lambda: door(dict(start=1.0, power=0.6), positive="start power"),
}
