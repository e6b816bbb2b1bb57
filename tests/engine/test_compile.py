"""What compiles, and how often: other numbers are not another program."""

import os
import subprocess
import sys

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from tests.support.datasets import ROOT
from tests.support.lif_networks import spike_time_gradient

COMPILED = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, *_, **__: COMPILED.append(name) if "backend_compile" in name else None
)


def compiled(call, *cases):
    """How many programs the cases compile after the first one."""
    call(*cases[0])
    before = len(COMPILED)
    for case in cases[1:]:
        call(*case)
    return len(COMPILED) - before


@pytest.mark.slow
@pytest.mark.parametrize(
    "solver",
    [bpc.GridSpikes(), pytest.param(bpc.OrderedSpikes(dfx.Heun()), marks=pytest.mark.slow)],
    ids=str,
)
def test_other_times_steps_and_numbers_are_one_program(solver):
    weights = np.array([[0.0, 1.0], [0.0, 0.0]])
    net = bpc.Network(
        bpc.neurons.LIF(), [bpc.Projection(weights, bpc.synapses.Exponential(5.0), delay=1.5)]
    )
    rest = net.rest(2)

    def run(t1, dt, drive):
        bpc.simulate(net, rest, drive, t1=t1, dt=dt, solver=solver, max_spikes=8).ok.item()

    # All between 513 and 1,024 steps, delays of up to 32, whole steps: one bucket.
    cases = [(60.0 + 0.4 * k, dt, 100.0 + k) for k in range(5) for dt in (0.1, 0.08)]
    assert compiled(run, *cases) == 0
    # So are runs that end inside a step.
    assert compiled(run, *[(60.05 + 0.03 * k, 0.1, 100.0) for k in range(3)]) == 0
    assert compiled(run, *[(60, 0.1, 100 + k) for k in range(4)]) == 0
    assert compiled(run, *[(60.0, 0.1, np.float64(100 + k)) for k in range(3)]) == 0
    assert compiled(run, *[(60.0, 0.1, np.int64(100 + k)) for k in range(3)]) == 0


def test_pieces_of_one_length_are_one_program():
    lif = bpc.neurons.LIF()
    solution = bpc.simulate(lif, lif.rest((2,)), 150.0, t1=20.0, dt=0.1, solver=bpc.GridSpikes())
    runs = [solution]

    def on(t1):
        runs.append(bpc.simulate(lif, runs[-1].restart, 150.0, t1=t1))

    assert compiled(on, *[(20.0 * k,) for k in range(2, 9)]) == 0


class Forgetful(bpc.AbstractSystem):
    """An Ornstein-Uhlenbeck process."""

    def vector_field(self, t, y, args):
        return -y

    def noise(self, t, y, args):
        return jnp.ones_like(y)


@pytest.mark.slow
def test_noise_with_another_key_is_one_program():
    def run(seed):
        key = jax.random.key(seed)
        bpc.simulate(Forgetful(), jnp.zeros(1), t1=5.0, dt=0.1, key=key).final.item()

    assert compiled(run, *[(seed,) for seed in range(4)]) == 0


@pytest.mark.slow
def test_a_solve_calls_no_host():
    # A program with a call of the host is not kept by JAX's compilation cache.
    function, weights = spike_time_gradient()
    assert "callback" not in function.lower(weights).as_text()


PROGRAM = """
import time
import jax
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
from tests.support.lif_networks import spike_time_gradient
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
function, weights = spike_time_gradient()
begin = time.process_time()
function(weights).block_until_ready()
print(time.process_time() - begin, sum("cache_hits" in x for x in hits),
      sum("cache_misses" in x for x in hits))
"""


@pytest.mark.slow
def test_a_second_process_finds_the_program_of_the_first(tmp_path):
    environment = dict(os.environ, JAX_COMPILATION_CACHE_DIR=str(tmp_path), JAX_PLATFORMS="cpu")
    rows = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True,
            check=True, cwd=ROOT,
        ).stdout.split()
        for _ in range(2)
    ]  # fmt: skip
    assert int(rows[0][2]) > 0
    assert int(rows[1][1]) > 0 and int(rows[1][2]) == 0, rows
