"""Side by side with Brian2: `python -m experiments.benchmarks.brian2 --python PEER_PYTHON`.

`PEER_PYTHON` is the Python of an environment of its own with Brian2 and a C++ compiler (tested:
`pip install brian2 "numpy<2.4"`). Each peer runs compiled (C++ standalone) in a process of its
own, in turn with our runs, for some rounds; the best time of each counts, ratios are of one call.
"""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import tyro

import bpcjax as bpc

from ..common.balanced_networks import cuba

PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Config:
    """What to measure, and with which peer."""

    python: Path  # of the peer's own environment
    rounds: int = 5
    neurons: int = 10_240  # of the AdEx population
    ms: float = 1000.0


def peer(config: Config, script: str, *args: Any) -> dict[str, Any]:
    """What a peer's script prints: a line of JSON."""
    command = [str(config.python), str(PEERS / script), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def best_of(rounds: int, runs: dict[str, Callable[[], Any]], peers: dict[str, Callable]) -> dict:
    """The best seconds of every run and peer, called in turn, and what each returned last."""
    results = {name: run() for name, run in runs.items()}  # compiles
    seconds = {name: np.inf for name in (*runs, *peers)}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            results[name] = jax.block_until_ready(run())
            seconds[name] = min(seconds[name], time.perf_counter() - start)
        for name, ask in peers.items():
            results[name] = ask()
            seconds[name] = min(seconds[name], results[name]["seconds"])
    return {name: (seconds[name], results[name]) for name in seconds}


class Counted(bpc.AbstractSpikingSystem):
    """Neurons and the number of their spikes."""

    neuron: bpc.AbstractSpikingSystem

    def vector_field(self, t, y, args):
        """The neuron's, and nothing."""
        return self.neuron.vector_field(t, y[0], args), jnp.zeros_like(y[1])

    def guard(self, t, y, args):
        """The neuron's."""
        return self.neuron.guard(t, y[0], args)

    def reset(self, t, y, args, fired):
        """The neuron's, and one more."""
        return self.neuron.reset(t, y[0], args, fired), y[1] + fired


def adex(config: Config) -> None:
    """A population of AdEx neurons, one current each, 0.1 ms: seconds, and spikes of each."""
    neuron, room = bpc.neurons.AdEx(), int(0.06 * config.neurons * config.ms)
    drive = jnp.linspace(500.0, 1500.0, config.neurons)

    def through(solver, record: bool):
        def run(y, drive):
            options = dict(max_spikes=room) if record else {}
            solution = bpc.simulate(
                neuron, y, drive, t1=config.ms, dt=0.1, solver=solver, throw=False, **options
            )
            return solution.ok, solution.ys, solution.spikes

        ready = jax.jit(run)
        return lambda: ready(neuron.rest((config.neurons,)), drive)

    def counted():
        def run(y, drive):
            system, start = Counted(neuron), (y, jnp.zeros_like(y.v))
            solution = bpc.simulate(
                system, start, drive, t1=config.ms, dt=0.1, solver=bpc.GridSpikes(), throw=False
            )
            return solution.ok, solution.ys, None

        ready = jax.jit(run)
        return lambda: ready(neuron.rest((config.neurons,)), drive)

    runs = {
        "GridSpikes(Euler)": through(bpc.GridSpikes(), False),
        "GridSpikes(Euler), spikes counted": counted(),
        "GridSpikes(Euler), spikes recorded": through(bpc.GridSpikes(), True),
        "GridSpikes(Heun)": through(bpc.GridSpikes(dfx.Heun()), False),
        "LocalSpikes(Heun)": through(bpc.LocalSpikes(), False),
        "LocalSpikes(Heun), spikes recorded": through(bpc.LocalSpikes(), True),
    }
    peers = {
        f"Brian2 C++ {dtype}, {threads} thread{'s' if threads else ''}": (
            lambda dtype=dtype, threads=threads: peer(
                config, "brian2_adex.py", config.neurons, config.ms, dtype, threads
            )
        )
        for dtype, threads in (("float64", 0), ("float32", 0), ("float32", 2))
    }
    timings = best_of(config.rounds, runs, peers)
    theirs = min(seconds for name, (seconds, _) in timings.items() if name in peers)
    print(f"\n{config.neurons} AdEx, {config.ms:g} ms at 0.1 ms (ours in float32):")
    for name, (seconds, result) in timings.items():
        note = f"{theirs / seconds:5.2f}x the speed of the fastest Brian2"
        if name in peers:
            note += f", {result['spikes']} spikes"
        elif result[2] is not None:
            own = np.bincount(result[2].neurons[: int(result[2].count)], minlength=config.neurons)
            other = np.array(timings[next(iter(peers))][1]["counts"])
            same = (own == other).mean()
            note += f", {own.sum()} spikes; same count as Brian2 float64 in {same:.2%} of neurons"
        print(f"  {name:36s} {seconds:7.3f} s  {note}")
    grid, local = (timings[name][0] for name in ("GridSpikes(Heun)", "LocalSpikes(Heun)"))
    print(f"  LocalSpikes / GridSpikes(Heun): {local / grid:.2f}")


def balanced(config: Config, count: int = 4000) -> None:
    """The CUBA network: microseconds a step, rate and CV."""

    def through(solver):
        problem = cuba(jax.random.key(0), count)

        def run(y, network):
            solution = bpc.simulate(
                network,
                y,
                problem.drive,
                t1=config.ms,
                dt=0.1,
                solver=solver,
                max_spikes=int(0.012 * count * config.ms),
                throw=False,
            )
            return solution.ok, solution.spikes

        ready = jax.jit(run)
        return lambda: ready(problem.start, problem.network)

    runs = {
        "GridSpikes(Euler)": through(bpc.GridSpikes()),
        "GridSpikes(Heun)": through(bpc.GridSpikes(dfx.Heun())),
        "LocalSpikes(Heun)": through(bpc.LocalSpikes()),
    }
    peers = {"Brian2 C++": lambda: peer(config, "brian2_cuba.py", count, config.ms, 0)}
    timings = best_of(config.rounds, runs, peers)
    theirs = timings["Brian2 C++"][0]
    steps = config.ms / 0.1
    print(f"\nCUBA, {count} neurons, {config.ms:g} ms at 0.1 ms, spikes recorded:")
    for name, (seconds, result) in timings.items():
        if name in peers:
            rate, cv = result["rate"], result["cv"]
        else:
            assert bool(result[0])
            trains = bpc.analysis.spike_statistics(
                result[1], count, t0=0.0, t1=config.ms, window=config.ms / 2, min_intervals=3
            )
            rate, cv = 1e3 * float(trains.rate.mean()), float(jnp.nanmean(trains.cv))
        print(
            f"  {name:20s} {1e6 * seconds / steps:7.2f} us a step, {seconds / theirs:5.2f}x the "
            f"time of Brian2; {rate:.2f} Hz, CV {cv:.3f}"
        )


def main(config: Config) -> None:
    """Print both tables."""
    adex(config)
    balanced(config)


if __name__ == "__main__":
    main(tyro.cli(Config))
