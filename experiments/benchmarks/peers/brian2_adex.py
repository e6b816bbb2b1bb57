"""Brian2 in C++ standalone mode: a population of AdEx neurons, one current each, on the grid.

`python brian2_adex.py COUNT MS FLOAT THREADS` (0 threads: no OpenMP) prints a line of JSON: seconds
of the run alone (the best of three, compiled beforehand), all spikes, and those of each neuron.
"""

import json
import sys
import tempfile

import brian2 as b2
import numpy as np


def main(count: int, duration: float, dtype: str, threads: int) -> None:
    """Build once, run three times."""
    b2.prefs.core.default_float_dtype = np.dtype(dtype).type
    b2.prefs.devices.cpp_standalone.openmp_threads = threads
    folder = tempfile.mkdtemp()
    b2.set_device("cpp_standalone", directory=folder, build_on_run=False)
    b2.defaultclock.dt = 0.1 * b2.ms
    # pF, nS, mV, pA, ms as plain numbers: the units cancel.
    equations = """
    dv/dt = (-30.0*(v + 70.6) + 60.0*exp((v + 50.4)/2.0) - w + I)/281.0/ms : 1
    dw/dt = (4.0*(v + 70.6) - w)/144.0/ms : 1
    I : 1 (constant)
    """
    group = b2.NeuronGroup(
        count, equations, threshold="v > -40.4", reset="v = -70.6; w += 80.5", method="euler"
    )
    group.v, group.w = -70.6, 0.0
    group.I = np.linspace(500.0, 1500.0, count)
    spikes = b2.SpikeMonitor(group, record=False)
    b2.run(duration * b2.ms)
    b2.device.build(directory=folder, compile=True, run=False)
    seconds = []
    for _ in range(3):
        b2.device.run(directory=folder, with_output=False, run_args=[])
        seconds.append(b2.device._last_run_time)
    counts = np.asarray(spikes.count[:])
    print(json.dumps(dict(seconds=min(seconds), spikes=int(counts.sum()), counts=counts.tolist())))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
