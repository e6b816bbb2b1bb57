"""Doors of encoding, inputs, connections, costs and data."""

import jax
import numpy as np

import bpcjax as bpc
from tests.doors.table import door

TIMES = np.array([0.0, 1.0, 2.0, 4.0])
STREAM = np.array([[0.0, 1.0], [2.0, 0.0], [3.0, 1.0], [1.0, 2.0]])
ONES = np.array([1.0, 2.0, 3.0])
KEY = jax.random.key(0)
INDEX = np.array([[0, 1], [1, 2], [2, 3]])


def spikes() -> bpc.Spikes:
    return bpc.Spikes(np.array([0.5, 1.0, 3.0, np.inf]), np.array([0, 1, 0, -1]))


def ledger() -> bpc.cost.Ledger:
    return bpc.cost.Ledger(bpc.cost.FP32)


def _linear(s):
    return bpc.cost.spiking(10, s, 8, 4)


DOORS = {
    "encode.Charging": lambda: door(
        dict(tau=20.0, threshold=0.5),
        positive="tau threshold",
        shape="tau threshold",
        empty="tau threshold",
    ),
    "encode.Linear": lambda: door(dict(span=20.0), positive="span", shape="span", empty="span"),
    "encode.cochlea": lambda: door(
        dict(
            sound=np.sin(np.arange(64.0)),
            rate=8000.0,
            centres=np.array([500.0, 1000.0]),
            frame=1.0,
            memory=2.0,
        ),
        positive="rate frame memory",
        shape="centres",
        infinite="sound",
        heavy=True,
    ),
    "encode.current": lambda: door(
        dict(values=ONES, low=1.0, high=2.0), shape="values low high", empty="values low high"
    ),
    "encode.delta": lambda: door(
        dict(ts=TIMES, signal=STREAM, threshold=0.5, start=np.zeros(2), room=40),
        shape="start threshold",
        positive="threshold",
        finite="ts signal start",
        heavy=True,
    ),
    "encode.erb_centres": lambda: door(
        dict(low=100.0, high=2000.0, bands=3), positive="low high", counted="bands"
    ),
    "encode.first_spike": lambda: door(dict(spikes=spikes(), size=3)),
    "encode.gammatone": lambda: door(
        dict(centres=np.array([500.0, 1000.0]), rate=8000.0, taps=16),
        positive="centres rate",
        counted="taps",
        wide="centres",
    ),
    "encode.latency": lambda: door(
        dict(values=ONES, curve=bpc.encode.Charging(), t0=1.0), shape="values", empty="values"
    ),
    "encode.poisson": lambda: door(
        dict(key=KEY, rates=np.array([1.0, 2.0]), t1=4.0, t0=0.0, room=40),
        shape="rates",
        nonnegative="rates",
        finite="rates t1 t0",
        heavy=True,
    ),
    "encode.poisson_bins": lambda: door(
        dict(key=KEY, rates=np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]]), edges=TIMES, room=40),
        nonnegative="rates",
        finite="rates edges",
        heavy=True,
    ),
    "encode.potential": lambda: door(
        dict(spikes=spikes(), weights=np.ones((3, 2)), ts=TIMES, tau=5.0),
        positive="tau",
        infinite="tau weights",
        heavy=True,
    ),
    "encode.rate": lambda: door(dict(spikes=spikes(), size=3, t1=4.0, t0=0.0), finite="t1 t0"),
    "encode.sigma_delta": lambda: door(
        dict(ts=TIMES, signal=STREAM, quantum=0.5, room=40),
        shape="quantum",
        positive="quantum",
        finite="ts signal",
        heavy=True,
    ),
    "encode.staircase": lambda: door(
        dict(spikes=spikes(), ts=TIMES, start=np.zeros(2), threshold=0.5),
        positive="threshold",
        heavy=True,
    ),
    "encode.trace": lambda: door(
        dict(spikes=spikes(), size=3, ts=TIMES, tau=5.0), positive="tau", infinite="tau", heavy=True
    ),
    "bpcjax.Spikes": lambda: door(
        dict(
            times=np.array([0.5, 1.0, np.inf]),
            neurons=np.array([0, 1, -1]),
            count=2,
            steps=np.array([0, 1, -1]),
        ),
        much="count",
        range="neurons steps",
        zero="count",
        nan="times",
        integer="times",
        shape="times neurons count steps",
        none="times neurons",
        object="times neurons count steps",
        scalar="times neurons count steps",
    ),
    "bpcjax.Spikes.of": lambda: door(dict(part=slice(0, 2)), on=spikes),
    "bpcjax.SpikeTrain": lambda: door(
        dict(times=np.array([0.5, 1.0, 3.0]), neurons=np.array([0, 1, 0]), channels=3, per_step=8),
        much="per_step channels",
        negative="times",
        infinite="times",
        counted="channels per_step",
    ),
    "bpcjax.SpikeTrain.of": lambda: door(
        dict(spikes=spikes(), channels=3, per_step=8),
        on=lambda: bpc.SpikeTrain,
        much="per_step channels",
        counted="channels per_step",
    ),
    "bpcjax.PoissonTrain": lambda: door(
        dict(rates=ONES, key=KEY), nonnegative="rates", empty="rates", wide="rates"
    ),
    "bpcjax.Bins": lambda: door(dict(amounts=STREAM, dt=1.0), shape="amounts", positive="dt"),
    "inputs.Late": lambda: door(
        dict(delays=STREAM, pre=(0, 4)), shape="delays", nonnegative="delays"
    ),
    "connect.Convolution": lambda: door(
        dict(kernel=np.ones((2, 1, 3)), extent=(5,), stride=1), shape="kernel", counted="stride"
    ),
    "connect.Dense": lambda: door(dict(weights=STREAM), shape="weights", empty="weights"),
    "connect.Lateral": lambda: door(dict(weight=1.5)),
    "connect.OneToOne": lambda: door(dict(weight=ONES), empty="weight", shape="weight"),
    "connect.Sparse": lambda: door(
        dict(targets=INDEX, weights=np.ones((3, 2)), post=5), shape="targets weights", much="post"
    ),
    "connect.Sparse.from_lists": lambda: door(
        dict(pre=3, post=4, sources=np.array([0, 1, 2]), targets=np.array([1, 2, 3]), weights=ONES),
        on=lambda: bpc.connect.Sparse,
        much="post",
        shape="weights",
    ),
    "connect.Sparse.from_dense": lambda: door(
        dict(weights=STREAM), on=lambda: bpc.connect.Sparse, shape="weights", empty="weights"
    ),
    "connect.Sparse.random": lambda: door(
        dict(key=KEY, pre=3, post=4, probability=0.5, weight=1.5), on=lambda: bpc.connect.Sparse
    ),
    "connect.Sparse.fixed_in": lambda: door(
        dict(key=KEY, pre=3, post=4, count=2, weight=1.5), on=lambda: bpc.connect.Sparse
    ),
    "synapses.Alpha": lambda: door(dict(tau=5.0, reversal=0.0), positive="tau", shape="*"),
    "synapses.Delta": lambda: door({}),
    "synapses.DoubleExponential": lambda: door(
        dict(rise=1.0, decay=5.0, reversal=0.0), positive="rise decay", shape="*", empty="*"
    ),
    "synapses.Exponential": lambda: door(
        dict(tau=5.0, reversal=0.0), positive="tau", shape="*", empty="*"
    ),
    "cost.Counts": lambda: door(
        dict(
            synaptic=1.0,
            macs=1.0,
            adds=1.0,
            exps=1.0,
            divides=1.0,
            updates=1.0,
            spikes=1.0,
            words=1.0,
        ),
        shape="*",
        empty="*",
        nonnegative="*",
    ),
    "cost.Ledger": lambda: door(dict(technology=bpc.cost.FP32, memory=bpc.cost.MEMORIES[0])),
    "cost.Ledger.energy": lambda: door(dict(counts=bpc.cost.Counts(macs=3.0)), on=ledger),
    "cost.Memory": lambda: door(
        dict(name="a", byte=1.0, room=10.0), nonnegative="byte room", zero="byte room"
    ),
    "cost.Technology": lambda: door(
        dict(
            name="a",
            source="b",
            word=1,
            synaptic=1.0,
            macs=1.0,
            adds=1.0,
            exps=1.0,
            divides=1.0,
            updates=1.0,
            spikes=1.0,
        ),
        nonnegative="*",
        counted="word",
        much="word",
        none="synaptic macs adds exps divides updates spikes",
    ),
    "cost.attention_counts": lambda: door(
        dict(width=8, memories=4, steps=2, batch=2), much="*", counted="batch", shape="width"
    ),
    "cost.break_even": lambda: door(
        dict(ledger=ledger(), made=_linear, other=bpc.cost.attention_counts(8, 4), rival=ledger())
    ),
    "cost.classical": lambda: door(
        dict(width=8, sweeps=2, batch=2), much="*", counted="batch", shape="width"
    ),
    "cost.hard_attention_counts": lambda: door(
        dict(width=8, memories=4, batch=2), much="*", counted="batch", shape="width"
    ),
    "cost.linear_attention_counts": lambda: door(
        dict(width=8, out=4, batch=2), much="*", counted="batch", shape="width"
    ),
    "cost.loihi2": lambda: door(
        dict(synaptic=1.0, updates=2.0, spikes=3.0, source="a"), nonnegative="*"
    ),
    "cost.sampled_attention_counts": lambda: door(
        dict(width=8, memories=4, spikes=10.0, out=4),
        much="*",
        shape="spikes width",
        empty="spikes",
        nonnegative="spikes",
    ),
    "cost.smallest_memory": lambda: door(dict(size=100.0), nonnegative="size", infinite="size"),
    "cost.sparse_attention_counts": lambda: door(
        dict(width=8, memories=4, support=2.0, batch=2),
        much="*",
        shape="support width",
        empty="support",
        nonnegative="support",
        counted="batch",
    ),
    "cost.spiking": lambda: door(
        dict(inputs=4.0, spikes=10.0, width=8, memories=4, graded=False),
        much="*",
        shape="inputs spikes width",
        empty="inputs spikes",
        nonnegative="inputs spikes",
    ),
    "cost.synapses_alone": lambda: door(dict(counts=bpc.cost.Counts(macs=3.0))),
    "data.cache_folder": lambda: door(dict(cache_dir="/tmp")),
    "data.events": lambda: door(
        dict(
            times=[ONES, ONES],
            channels=[np.arange(3), np.arange(3)],
            labels=np.array([0, 1]),
            shape=5,
        ),
        range="labels",
        much="shape shape",
        fraction="labels",
        strings="labels",
        complex="labels",
        nan="labels",
        none="labels",
    ),
    "data.load": lambda: door(dict(name="digits", split="test")),
}
