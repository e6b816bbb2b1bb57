"""What a caller hands over: numbers keep their value in single precision too, or an error says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bpcjax as bpc
from bpcjax import _arrays, encode
from bpcjax.learning import TraceSTDP, replay

TICKS = np.array([2_500_000_000, 4_000_000_000])  # beyond 2^31; multiples of 256: exact in float32


@pytest.fixture(params=[True, False], ids=["double", "single"])
def double(request):
    with jax.enable_x64(request.param):
        yield request.param


@pytest.mark.parametrize(
    "value",
    [
        TICKS,
        TICKS.astype(np.uint64),
        TICKS.tolist(),
        TICKS.astype(object),
        TICKS.astype(np.longdouble),
        [jnp.zeros((), jnp.float32) + 2.5e9, TICKS[1]],
        np.array([np.int64(x) for x in TICKS])[:, None],
    ],
)
def test_numbers_keep_their_value(value, double):
    result = _arrays.as_floating(value)
    assert result.dtype == jnp.result_type(float)
    np.testing.assert_array_equal(np.ravel(result), TICKS)
    inside = jax.jit(lambda: _arrays.as_floating(value))()
    np.testing.assert_array_equal(np.ravel(inside), TICKS)


def test_single_numbers_keep_their_value(double):
    # 3e9 = 2^9 * 5859375, exact in float32, as are powers of two.
    for value, right in ((np.int64(3 * 10**9), 3e9), (2**70, 2.0**70), (np.uint64(2**63), 2.0**63)):
        assert float(bpc.neurons.LIF(c=value).c) == right
    assert _arrays.as_floating(0.5).weak_type and _arrays.as_floating(3).weak_type
    assert not bpc.neurons.LIF(c=3).c.weak_type
    for kind in (np.float16, np.float32, jnp.bfloat16):
        assert _arrays.as_floating(np.zeros(2, kind)).dtype == kind
    assert _arrays.as_floating(np.zeros(2, complex)).dtype == jnp.result_type(complex)
    assert _arrays.as_floating(np.array([True, False])).tolist() == [1.0, 0.0]
    assert np.isinf(_arrays.as_floating([np.inf, -np.inf])).all()  # padding is no overflow


def test_what_no_type_holds_is_refused(double):
    most = 10**400 if double else 1e39
    for value in (most, np.array([1, most], object), [1.0, most]):
        with pytest.raises(ValueError, match="is beyond float"):
            _arrays.as_floating(value)
    with pytest.raises(TypeError):
        _arrays.as_floating("3")
    with pytest.raises(ValueError, match="times: .* is beyond float"):
        _arrays.as_times([0, most])


def test_ticks_that_would_become_one_are_refused(double):
    # Whole numbers are exact to 2^53 and 2^24; beyond, every second one is.
    end = 2**53 if double else 2**24
    times = _arrays.as_times([end - 1, end, end + 2])
    np.testing.assert_array_equal(np.asarray(times, float), [end - 1, end, end + 2])
    for late in ([end, end + 1], np.array([end, end + 1], np.uint64)):
        with pytest.raises(ValueError, match="seen: of 2 different times 1 become one"):
            _arrays.as_times(late, "seen")
    assert _arrays.as_times([end + 2, end + 2]).tolist() == [end + 2] * 2  # they were one before


def test_times_are_rounded_but_not_merged_in_single_precision():
    rng = np.random.default_rng(0)
    dense = np.sort(rng.uniform(0, 1000.0, 200_000))  # some share a float32, whose step is 6e-5
    late = 1.7e12 + np.arange(60_000.0)  # a minute of ms since 1970, where its step is 131072
    with jax.enable_x64(False):
        np.testing.assert_array_equal(_arrays.as_times(dense), dense.astype(np.float32))
        with pytest.raises(ValueError, match="of 60000 different times 59999 become one"):
            _arrays.as_times(late)
    np.testing.assert_array_equal(_arrays.as_times(late), late)


@pytest.mark.parametrize("bad", [["now"], [1j], np.array(["2020"], "datetime64[s]"), [None]])
def test_times_that_are_no_numbers(bad, double):
    with pytest.raises(ValueError, match="times must be real numbers"):
        _arrays.as_times(bad)


def test_traced_times_are_floats(double):
    result = jax.jit(_arrays.as_times)(jnp.array([3, 1]))
    assert result.dtype == jnp.result_type(float) and result.tolist() == [3, 1]
    assert jax.grad(lambda t: _arrays.as_times(t).sum())(jnp.ones(2)).tolist() == [1, 1]


def test_indices_are_whole_and_of_32_bits(double):
    for kind in (np.uint8, np.int64, np.uint64):
        result = _arrays.as_indices(np.array([0, 200], kind), "channels")
        assert result.dtype == jnp.int32 and result.tolist() == [0, 200]
    assert _arrays.as_indices([], "channels").dtype == jnp.int32
    for bad in ([2**32], np.array([2**63], np.uint64), [-(2**40)]):
        with pytest.raises(ValueError, match="channels must be within -2147483648..2147483647"):
            _arrays.as_indices(bad, "channels")
    with pytest.raises(ValueError, match="channels must be whole numbers, got float64"):
        _arrays.as_indices([0.5], "channels")
    wide = jax.jit(lambda x: _arrays.as_indices(x, "channels"))(jnp.array([2**31 - 1, -1]) * 4)
    assert wide.tolist() == ([2**31 - 1, -4] if double else [-4, -4])  # traced: to the bound


def test_sizes_are_whole_numbers_of_python():
    assert type(_arrays.as_size(np.uint8(200), "post")) is int
    assert _arrays.as_size(jnp.int32(3), "post") == 3
    with pytest.raises(ValueError, match=r"post must be a whole number, got 3\.0"):
        _arrays.as_size(3.0, "post")
    with pytest.raises(ValueError, match="post must be at least 0, got -1"):
        _arrays.as_size(-1, "post")


@pytest.mark.slow
def test_ticks_are_decoded(double):
    channels = np.array([0, 1], np.uint8)
    rates = encode.rate(bpc.Spikes(TICKS, channels), 300, t0=np.int64(10**9), t1=5 * 10**9)
    np.testing.assert_allclose(rates[:2], [1 / 4e9] * 2, rtol=1e-6)  # one spike in 4e9 each
    np.testing.assert_array_equal(encode.first_spike(bpc.Spikes(TICKS, channels), 2), TICKS)
    traced = encode.trace(bpc.Spikes(TICKS, channels), 2, TICKS, np.int64(3 * 10**9))
    decay = np.exp(-1.5e9 / 3e9)
    np.testing.assert_allclose(traced, [[1, 0], [decay, 1]], rtol=1e-5)
    with pytest.raises(ValueError, match="neurons must be within"):
        encode.rate(bpc.Spikes(np.ones(1), np.array([2**32])), 1, t1=2.0)
    assert encode.rate(bpc.Spikes(np.zeros(0), np.zeros(0, int)), 3, t1=2.0).tolist() == [0, 0, 0]
    # The channel of padding, 300, is more than a byte holds.
    padded = encode.rate(
        bpc.Spikes(np.array([1.0, np.inf]), np.array([44, 255], np.uint8)), 300, t1=2.0
    )
    assert padded[44] == 0.5 and padded.sum() == 0.5


def test_more_spikes_than_a_float_counts():
    # float16 counts by ones to 2048.
    times = jnp.ones(5000, jnp.float16)
    assert encode.rate(bpc.Spikes(times, jnp.zeros(5000, int)), 1, t1=10.0).tolist() == [500.0]


def test_ticks_are_replayed(double):
    # One pair 1024 apart, long after 0: the window gives 0.005 exp(-1024 / 500).
    rule = TraceSTDP(bpc.learning.Window(tau_plus=500.0))
    pre = bpc.Spikes(np.array([2_560_000_000]), np.array([0], np.uint8))  # multiples of 256
    post = bpc.Spikes(np.array([2_560_001_024]), np.array([299]))
    weights, _ = replay(rule, jnp.zeros((300, 200)), pre, post, t0=2 * 10**9, t1=3 * 10**9)
    assert np.count_nonzero(weights) == 1
    np.testing.assert_allclose(weights[299, 0], 0.005 * np.exp(-1024 / 500), rtol=1e-6)
    near = bpc.Spikes(np.array([2**53, 2**53 + 1]), np.array([0, 0]))
    with pytest.raises(ValueError, match="pre: times: of 2 different times 1 become one"):
        replay(rule, jnp.zeros((1, 1)), near, near)
    with pytest.raises(ValueError, match="post: neurons must be within"):
        replay(rule, jnp.zeros((1, 1)), bpc.Spikes([1.0], [0]), bpc.Spikes([1.0], [2**32]))
