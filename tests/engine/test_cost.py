"""The ledger against figures worked by hand from the printed tables."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax import cost
from bpcjax.cost import FP32, INT8, LOIHI, MEMORIES, Counts, Ledger

N, P = 784, 1000  # the worked example: MNIST images, a thousand memories
MICRO = 1e-6  # pJ in uJ


def alone(inputs, spikes):
    return cost.synapses_alone(cost.spiking(inputs, spikes, N, P))


def products(counts):
    return Counts(macs=counts.macs)


def test_counts_of_the_worked_example():
    # 100 inputs, 10 spikes: 100,000 + 10 * 1,784 additions, 10 * 1,784 decays.
    solution = cost.spiking(100, 10, N, P)
    assert (solution.synaptic, solution.updates, solution.exps) == (117_840, 17_840, 10_010)
    assert (solution.adds, solution.spikes, solution.macs) == (10_000, 110, 0)
    graded = cost.spiking(100, 10, N, P, graded=True)
    assert (graded.synaptic, graded.macs, graded.spikes) == (17_840, 100_000, 10)
    assert cost.spiking(100, 10, N, P, reads=False).synaptic == 110_000
    dense = cost.attention_counts(N, P)
    assert (dense.macs, dense.exps, dense.adds, dense.divides) == (1_568_000, 1000, 1000, 1000)
    assert cost.attention_counts(N, P, steps=3).macs == 3 * 1_568_000
    assert cost.hard_attention_counts(N, P).macs == 784_000
    assert cost.linear_attention_counts(N).macs == 784 * 785  # not one memory more
    assert cost.sparse_attention_counts(N, P, 4).macs == 784_000 + 4 * 784
    assert cost.classical(N, sweeps=2).synaptic == 2 * 784**2


def test_energies_of_the_worked_example():
    # By hand from Horowitz's table: 1,568,000 * 4.6 pJ, 117,840 * 0.9 pJ, 2,568,000 * 0.9 pJ.
    ledger = Ledger(FP32)
    dense = ledger.energy(products(cost.attention_counts(N, P)))
    easy, hard = ledger.energy(alone(100, 10)), ledger.energy(alone(784, 1000))
    np.testing.assert_allclose(
        [dense * MICRO, easy * MICRO, hard * MICRO], [7.2128, 0.106056, 2.3112], rtol=1e-12
    )
    np.testing.assert_allclose([dense / easy, dense / hard], [68.0, 3.12], rtol=2e-3)
    # 8-bit attention with 32-bit sums (0.3 pJ) against spikes in single precision: 4.4x, 0.20x;
    # with 8-bit sums (0.23 pJ): 3.4x and 0.16x.
    for mac, ratios in ((0.3, [4.435, 0.2035]), (0.23, [3.400, 0.1560])):
        narrow = Ledger(dataclasses.replace(INT8, macs=mac))
        other = narrow.energy(products(cost.attention_counts(N, P)))
        np.testing.assert_allclose([other / easy, other / hard], ratios, rtol=1e-3)
    assert INT8.macs == pytest.approx(0.3, rel=1e-12) and INT8.synaptic == 0.1
    # Like for like at 8 bits: 0.4704 uJ against 0.011784 and 0.2568.
    small = Ledger(INT8)
    other = small.energy(products(cost.attention_counts(N, P)))
    result = [other / small.energy(alone(*case)) for case in ((100, 10), (784, 1000))]
    np.testing.assert_allclose(result, [39.92, 1.832], rtol=1e-3)


def test_states_and_rates_are_not_free():
    # By hand, 10 spikes of 1,784 targets: decays 4.6 pJ, 10,010 exponentials of 9 * 4.6 pJ.
    parts = Ledger(FP32).parts(cost.spiking(100, 10, N, P))
    np.testing.assert_allclose(parts["updates"], 17_840 * 4.6)
    np.testing.assert_allclose(parts["exps"], 10_010 * 41.4)
    np.testing.assert_allclose(parts["synaptic"], 117_840 * 0.9)
    np.testing.assert_allclose(parts["adds"], 9000.0)
    assert sum(parts.values()) == Ledger(FP32).energy(cost.spiking(100, 10, N, P))
    # So 10 spikes cost 0.61 uJ, not 0.106: attention's 7.28 uJ are 12 times that, not 68 times.
    dense = Ledger(FP32).energy(cost.attention_counts(N, P))
    np.testing.assert_allclose(dense / sum(parts.values()), 11.9, rtol=5e-3)


@pytest.mark.parametrize("technology", [FP32, cost.FP16, INT8], ids=lambda t: t.name)
def test_the_break_even_line(technology):
    # inputs P + S (N + P) = (E_mac / E_ac) 2 N P, solved by hand for S.
    ledger = Ledger(technology)
    result = cost.break_even(ledger, partial(alone, 100), products(cost.attention_counts(N, P)))
    line = (technology.macs / technology.synaptic * 2 * N * P - 100 * P) / (N + P)
    np.testing.assert_allclose(result, line, rtol=1e-12)
    # On the line both cost the same, with every operation and byte counted too.
    full = Ledger(technology, cost.smallest_memory(N * P * technology.word))
    made = partial(cost.spiking, 100, width=N, memories=P)
    s = cost.break_even(full, lambda s: made(spikes=s), cost.attention_counts(N, P))
    assert 0 < s < result
    np.testing.assert_allclose(
        full.energy(made(spikes=s)), full.energy(cost.attention_counts(N, P))
    )


def test_break_even_against_a_rival_of_another_precision_can_be_never():
    # 784 inputs cost 705,600 pJ in single precision; 8-bit attention 470,400 pJ.
    result = cost.break_even(
        Ledger(FP32), partial(alone, 784), products(cost.attention_counts(N, P)), Ledger(INT8)
    )
    np.testing.assert_allclose(result, (470_400 - 705_600) / (0.9 * 1784))
    assert result < 0


def test_memory_traffic():
    # 64-bit reads of 10, 20, 100 and 1,300 pJ: a byte is an eighth.
    assert [memory.byte * 8 for memory in MEMORIES] == [10, 20, 100, 1300]
    assert [cost.smallest_memory(size).name for size in (8192, 8193, 2**20, 2**21)] == [
        "SRAM 8 kB", "SRAM 32 kB", "SRAM 1 MB", "DRAM",
    ]  # fmt: skip
    dram = Ledger(FP32, MEMORIES[-1])
    words = 2 * N * P + 2 * (N + P)
    np.testing.assert_allclose(
        dram.parts(cost.attention_counts(N, P))["traffic"], words * 4 * 162.5, rtol=1e-12
    )
    assert "traffic" not in Ledger(FP32).parts(cost.attention_counts(N, P))
    # A batch reads the weights once: a hundredth of them for each of a hundred queries.
    shared = cost.attention_counts(N, P, batch=100).words
    np.testing.assert_allclose(shared, 2 * N * P / 100 + 2 * (N + P))
    # A spike reads a weight and moves a state to and fro.
    assert cost.spiking(0, 1, N, P).words == 3 * (N + P)


def test_prices_are_those_printed():
    # Horowitz (2014) fig. 1.1.9 and Davies et al. (2018) table 2.
    assert (FP32.macs, FP32.synaptic) == (pytest.approx(4.6), 0.9)
    assert (cost.FP16.macs, cost.FP16.synaptic) == (1.5, 0.4)
    assert (LOIHI.synaptic, LOIHI.updates, LOIHI.spikes) == (23.6, 81.0, 1.7)
    assert all(technology.source for technology in cost.TECHNOLOGIES.values())
    assert "Loihi 2" not in cost.TECHNOLOGIES
    with pytest.raises(TypeError, match="synaptic"):
        cost.loihi2()  # pyright: ignore
    own = cost.loihi2(synaptic=10.0, updates=20.0, spikes=1.0, source="measured here")
    assert Ledger(own).energy(Counts(synaptic=3.0, updates=2.0, spikes=1.0)) == 71.0


def test_sampling_the_mixture_saves_its_multiplications():
    # By hand, one head of 12 tokens and 32 dimensions: 384 products for the scores and, for the
    # mixture, 384 more or 32 additions a spike: even at 384 * 4.6 / (32 * 0.9) = 61.3 spikes.
    made = partial(cost.sampled_attention_counts, 32, 12)
    weights = cost.synapses_alone(cost.attention_counts(32, 12))
    even = cost.break_even(Ledger(FP32), lambda s: cost.synapses_alone(made(s)), weights)
    np.testing.assert_allclose(even, 384 * 4.6 / (32 * 0.9))
    assert (made(10).adds, made(10).exps, made(10).divides) == (24 + 40, 12, 32)


def test_an_operation_without_a_price_is_named():
    with pytest.raises(ValueError, match="Loihi has no price for exps"):
        Ledger(LOIHI).energy(dataclasses.replace(cost.spiking(100, 10, N, P), adds=0.0))
    with pytest.raises(ValueError, match="no price for macs"):
        Ledger(LOIHI).energy(cost.attention_counts(N, P))
    free = dataclasses.replace(LOIHI, exps=0.0, adds=0.0)
    # By hand: 117,840 * 23.6 + 17,840 * 81 + 110 * 1.7 pJ.
    np.testing.assert_allclose(Ledger(free).energy(cost.spiking(100, 10, N, P)), 4_226_251.0)


def test_counts_are_trees_of_arrays():
    spikes = jnp.arange(3.0)
    result = jax.jit(lambda s: Ledger(INT8).energy(cost.spiking(2.0 * s, s, 8, 5)))(spikes)
    one = [Ledger(INT8).energy(cost.spiking(2.0 * s, s, 8, 5)) for s in range(3)]
    np.testing.assert_allclose(result, one, rtol=1e-6)
    total = cost.attention_counts(8, 5) + cost.attention_counts(8, 5)
    assert total.macs == cost.attention_counts(8, 5, steps=2).macs
