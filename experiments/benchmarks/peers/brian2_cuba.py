"""Brian2 in C++ standalone mode: the CUBA network (Vogels & Abbott 2005; Brette et al. 2007).

`python brian2_cuba.py COUNT MS SEED` prints a line of JSON: seconds of the run alone (the best of
three, compiled beforehand), the mean rate (Hz), and the mean CV of inter-spike intervals of
neurons with at least three of them.
"""

import json
import sys
import tempfile

import brian2 as b2
import numpy as np


def main(count: int, duration: float, seed: int) -> None:
    """Build once, run three times."""
    folder = tempfile.mkdtemp()
    b2.set_device("cpp_standalone", directory=folder, build_on_run=False)
    b2.defaultclock.dt = 0.1 * b2.ms
    b2.seed(seed)
    equations = """
    dv/dt = (ge + gi - (v + 49*mV))/(20*ms) : volt (unless refractory)
    dge/dt = -ge/(5*ms) : volt
    dgi/dt = -gi/(10*ms) : volt
    """
    group = b2.NeuronGroup(
        count,
        equations,
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=5 * b2.ms,
        method="exact",
    )
    group.v = "-60*mV + 10*mV*rand()"
    excitatory = int(0.8 * count)
    probability = 80 / count
    # 1.62 mV and 9 mV at 4,000 neurons: the number of synapses of a neuron is kept.
    to_e = b2.Synapses(group, group, on_pre="ge += 1.62*mV")
    to_e.connect(f"i < {excitatory}", p=probability)
    to_i = b2.Synapses(group, group, on_pre="gi += -9*mV")
    to_i.connect(f"i >= {excitatory}", p=probability)
    spikes = b2.SpikeMonitor(group)
    b2.run(duration * b2.ms)
    b2.device.build(directory=folder, compile=True, run=False)
    seconds = []
    for _ in range(3):
        b2.device.run(directory=folder, with_output=False, run_args=[])
        seconds.append(b2.device._last_run_time)
    times, neurons = np.asarray(spikes.t / b2.ms), np.asarray(spikes.i)
    cvs = []
    for neuron in range(count):
        intervals = np.diff(times[neurons == neuron])
        if intervals.size >= 3:
            cvs.append(intervals.std() / intervals.mean())
    rate = 1e3 * times.size / count / duration
    print(json.dumps(dict(seconds=min(seconds), rate=rate, cv=float(np.mean(cvs)))))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
