import functools
import importlib
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st

import bpcjax as bpc
from bpcjax.sweep.grid import Grid

sweep = functools.partial(bpc.sweep, progress=False)


def polynomial(**point):
    """A number with a digit for each axis, and the values themselves as a vector."""
    values = jnp.stack([jnp.asarray(x, float) for x in point.values()])
    return {"number": values @ 10.0 ** jnp.arange(len(values)), "values": ("axis", values)}


def outer(axes):
    """The same by numpy, over the whole product."""
    values = np.stack(np.meshgrid(*axes.values(), indexing="ij"), -1).astype(float)
    return values @ 10.0 ** np.arange(len(axes)), values


def test_the_grid_is_the_product_of_the_axes_in_their_order():
    axes = {"b": np.array([3.0, 1.0]), "a": np.arange(4), "c": np.array([True, False, True])}
    dataset = sweep(polynomial, axes, chunk=5)
    assert dataset.number.dims == ("b", "a", "c") and dataset["values"].dims == (
        "b",
        "a",
        "c",
        "axis",
    )
    for name, values in axes.items():
        assert dataset[name].dtype == values.dtype
        np.testing.assert_array_equal(dataset[name], values)
    number, values = outer(axes)
    np.testing.assert_array_equal(dataset.number, number)
    np.testing.assert_array_equal(dataset["values"], values)
    assert dataset.number.sel(b=1.0, a=2).values.tolist() == [121.0, 21.0, 121.0]
    assert "done" not in dataset and dataset.attrs["chunk"] == 5
    assert dataset.attrs["jax"] == jax.__version__


lengths = st.lists(st.integers(1, 9), min_size=1, max_size=3)


@settings(max_examples=50, deadline=None)
@given(lengths, st.integers(1, 300))
def test_blocks_cover_every_point_once_and_waste_little(shape, chunk):
    blocks = Grid({f"x{k}": np.arange(n) for k, n in enumerate(shape)}).cut(chunk)
    seen, number = np.zeros(shape, int), np.arange(np.prod(shape)).reshape(shape)
    for block in range(len(blocks)):
        region, values = blocks.region(block), blocks.values(block)
        seen[region] += 1
        own = [blocks.unpad(block, x).ravel() for x in values.values()]
        assert {len(x) for x in values.values()} == {blocks.points}
        assert len(own[0]) == blocks.size(block)
        np.testing.assert_array_equal(np.ravel_multi_index(own, shape), number[region].ravel())
    assert (seen == 1).all() and blocks.points <= chunk
    # The padding of one axis: at most a third of its length, where 5 is taken as 2 + 2 + 2.
    assert blocks.points * len(blocks) <= seen.size * (4 / 3) ** len(shape)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(lengths, st.integers(1, 60))
def test_any_shape_in_any_chunk_gives_the_same_numbers(shape, chunk):
    axes = {f"x{k}": np.arange(n) % 10 for k, n in enumerate(shape)}
    dataset = sweep(polynomial, axes, chunk=chunk)
    number, values = outer(axes)
    np.testing.assert_array_equal(dataset.number, number)
    np.testing.assert_array_equal(dataset["values"], values)


def test_keys_are_an_axis_and_seeds_too():
    keys = jax.random.split(jax.random.key(3), 5)

    def draw(key, seed):
        return {"x": jax.random.normal(jax.random.fold_in(key, seed), (2,))}

    dataset = sweep(draw, {"key": keys, "seed": np.arange(3, dtype=np.uint32)}, chunk=4)
    direct = [[jax.random.normal(jax.random.fold_in(k, s), (2,)) for s in range(3)] for k in keys]
    np.testing.assert_array_equal(dataset.x, np.array(direct))
    assert dataset.x.dims == ("key", "seed", "x_0") and "key_data" in dataset.coords
    np.testing.assert_array_equal(dataset.key_data, jax.random.key_data(keys))


def test_the_types_of_outputs_are_kept():
    def run(x):
        return {
            "i": x.astype(jnp.int16), "b": x > 1, "c": x * 1j, "f": x.astype(jnp.float32), "h": 2,
        }  # fmt: skip

    dataset = sweep(run, {"x": np.arange(4.0)}, chunk=3)
    want = {"i": "int16", "b": "bool", "c": "complex128", "f": "float32", "h": "int64"}
    assert {name: str(dataset[name].dtype) for name in dataset} == want
    np.testing.assert_array_equal(dataset.c, 1j * np.arange(4.0))
    np.testing.assert_array_equal(dataset.h, [2, 2, 2, 2])


COMPILED = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, *_, **__: COMPILED.append(name) if "backend_compile" in name else None
)


class Line(eqx.Module):  # what a module holds is an argument
    slope: jax.Array

    def __call__(self, x):
        return {"y": self.slope * x}


def test_nothing_is_compiled_again_when_only_values_change():
    sweep(Line(jnp.array(2.0)), {"x": np.arange(10.0)}, chunk=3)
    before = len(COMPILED)
    for slope in (3.0, 4.0):
        x = np.arange(10.0) + slope
        np.testing.assert_array_equal(sweep(Line(jnp.array(slope)), {"x": x}, chunk=3).y, slope * x)
    assert len(COMPILED) == before


def test_what_run_reads_of_its_surroundings_is_what_it_is_at_the_call(tmp_path):
    around = {"slope": 2.0}

    def run(x):
        return {"y": around["slope"] * x}

    x = np.arange(4.0)
    for slope in (2.0, 3.0, 2.0):
        around["slope"] = slope
        np.testing.assert_array_equal(sweep(run, {"x": x}, chunk=2).y, slope * x)
    sweep(run, {"x": x}, chunk=2, store=tmp_path / "s.zarr")
    around["slope"] = 3.0
    with pytest.raises(ValueError, match="another function: its code, or arrays"):
        sweep(run, {"x": x}, store=tmp_path / "s.zarr")


def test_a_function_of_the_host_is_that_of_the_call_and_named_with_a_store(tmp_path):
    def sweep_with(factor, **options):
        def scale(x):
            return factor * np.asarray(x)

        def run(x):
            like = jax.ShapeDtypeStruct(x.shape, x.dtype)
            return {"y": jax.pure_callback(scale, like, x, vmap_method="expand_dims")}

        return sweep(run, {"x": np.arange(4.0)}, chunk=2, **options).y

    for factor in (2.0, 3.0):
        np.testing.assert_array_equal(sweep_with(factor), factor * np.arange(4.0))
    with pytest.warns(UserWarning, match="store: run calls .*scale on the host, and .*s.zarr"):
        sweep_with(2.0, store=tmp_path / "s.zarr")


@pytest.mark.slow
def test_a_population_gives_what_a_vmap_gives_and_the_closed_form():
    t1, start = 60.0, np.array([0.0, 3.0, 5.0])

    def run(current, start):
        lif = bpc.neurons.LIF()
        y0 = lif.rest(jnp.shape(current))
        y0 = eqx.tree_at(lambda y: y.v, y0, lif.e_l + start)
        solver = bpc.LocalSpikes()  # whose steps a neighbour's events do not cut
        solution = bpc.simulate(lif, y0, current, t1=t1, dt=0.05, solver=solver, throw=False)
        v = solution.ys.v[-1]
        return {"v": ("twice", jnp.stack([v, 2 * v])), "ok": solution.ok}

    axes = {"current": np.linspace(90.0, 160.0, 8), "start": start}
    lanes = sweep(run, axes, chunk=6)
    whole = sweep(run, axes, chunk=6, batch=bpc.population)
    xr.testing.assert_allclose(lanes.drop_attrs(), whole.drop_attrs(), rtol=0, atol=1e-11)
    assert lanes.ok.all()
    # v = E + RI - (RI - s) exp(-t / tau) up to the threshold, then from the reset.
    lif = bpc.neurons.LIF()
    tau, drive = float(lif.c / lif.g_l), axes["current"][:, None] / float(lif.g_l)
    gap, back = float(lif.v_th - lif.e_l), float(lif.v_reset - lif.e_l)
    with np.errstate(invalid="ignore", divide="ignore"):
        first = tau * np.log((drive - start) / (drive - gap))
        period = tau * np.log((drive - back) / (drive - gap))
        since = np.where(drive > gap, (t1 - first) % period, t1)
    begin = np.where((drive > gap) & (first < t1), back, start)
    since = np.where((drive > gap) & (first >= t1), t1, since)
    v = float(lif.e_l) + drive - (drive - begin) * np.exp(-since / tau)
    np.testing.assert_allclose(lanes.v.isel(twice=1), 2 * v, rtol=0, atol=1e-3)


class Host:
    """A function that runs on the host, where it can fail for values above a limit."""

    def __init__(self, limit):
        self.limit, self.calls = limit, []

    def square(self, x):
        self.calls.append(np.asarray(x).tolist())
        if np.max(x) > self.limit:
            raise ArithmeticError(f"above {self.limit}")
        return np.asarray(x) ** 2

    def run(self, x):
        like = jax.ShapeDtypeStruct(x.shape, x.dtype)
        y = jax.pure_callback(self.square, like, x, vmap_method="expand_dims")
        return {"y": y, "n": jnp.array(7)}


def test_a_chunk_that_raises_is_reported_and_tried_again_alone(tmp_path, caplog):
    host, axes = Host(limit=4.0), {"x": np.arange(8.0)}
    run = host.run
    calls = pytest.warns(UserWarning, match="store: run calls Host.square on the host")
    with calls, pytest.raises(bpc.SweepError) as caught:
        sweep(run, axes, chunk=2, store=tmp_path / "s.zarr")
    message = str(caught.value)
    assert "2 of 4 chunks failed" in message and "x = 4.0 ... 5.0" in message
    assert "ArithmeticError: above 4.0" in message and "the same call tries these again" in message
    assert [where["x"] for where, _ in caught.value.failed] == [(4.0, 5.0), (6.0, 7.0)]
    kept = caught.value.dataset
    np.testing.assert_array_equal(kept.y, [0, 1, 4, 9, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(kept.n, [7, 7, 7, 7, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(kept.done, np.arange(8) < 4)
    host.limit, host.calls = np.inf, []
    with pytest.warns(UserWarning, match="store: run calls Host.square on the host"):
        dataset = sweep(run, axes, chunk=2, store=tmp_path / "s.zarr")
    np.testing.assert_array_equal(dataset.y, np.arange(8.0) ** 2)
    assert sorted(host.calls) == [[4.0, 5.0], [6.0, 7.0]] and dataset.n.dtype == np.int64


@pytest.mark.slow
def test_a_solve_that_raises_says_why_in_one_line(caplog):
    def run(current):
        lif = bpc.neurons.LIF()
        solution = bpc.simulate(lif, lif.rest(), current, t1=50.0, dt=0.5, max_spikes=1)
        return {"n": solution.spikes.count}

    with pytest.raises(
        bpc.SweepError, match="1 of 2 chunks failed.*in the error's `data"
    ) as caught:
        sweep(run, {"current": np.array([0.0, 50.0, 300.0, 400.0])}, chunk=2)
    ((where, reason),) = caught.value.failed
    assert where == {"current": (300.0, 400.0)} and "\n" not in reason
    assert reason.startswith("More spikes than the record has room for")
    assert not caplog.records  # the trace that jax logs for each would bury the bar


def test_what_is_in_the_store_is_what_was_returned(tmp_path):
    axes = {"a": np.arange(5.0), "key": jax.random.split(jax.random.key(0), 3)}

    def run(a, key):
        return {"x": jax.random.normal(key, (2, 3)), "ok": a > 1}

    dataset = sweep(run, axes, chunk=4, store=tmp_path / "deep" / "s.zarr")
    kept = xr.open_zarr(tmp_path / "deep" / "s.zarr", chunks=None).load()
    assert kept.done.all()
    xr.testing.assert_identical(kept.drop_vars("done"), dataset)
    xr.testing.assert_identical(sweep(run, axes, store=tmp_path / "deep" / "s.zarr"), dataset)
    xr.testing.assert_equal(sweep(run, axes, chunk=4), dataset)  # in memory


def shifted(x):
    return {"y": x + 1}


def squared(x):
    return {"y": x**2}


def vector(x):
    return {"y": jnp.stack([x, x])}


def holds(array):
    return lambda x: {"y": x + array.sum()}


def test_a_store_of_another_sweep_is_refused_by_name(tmp_path):
    store, axes = tmp_path / "s.zarr", {"x": np.arange(6.0)}
    sweep(shifted, axes, chunk=3, store=store)
    before = sweep(shifted, axes, store=store)
    cases = [
        (shifted, {"x": np.arange(6.0) + 1e-12}, None, "other values of axis 'x'"),
        (shifted, {"x": np.arange(6)}, None, "other values of axis 'x'"),
        (shifted, {"x": np.arange(7.0)}, None, "other values of axis 'x'"),
        (lambda z: shifted(z), {"z": np.arange(6.0)}, None, r"over \['x'\], not \['z'\]"),
        (shifted, axes, 2, "begun with chunk=3"),
        (squared, axes, None, "another function"),
        (vector, axes, None, "another output 'y'"),
    ]
    for run, other, chunk, message in cases:
        with pytest.raises(ValueError, match=f"store: .*{message}.*[Pp]ass "):
            sweep(run, other, chunk=chunk, store=store)
    xr.testing.assert_identical(sweep(shifted, axes, store=store), before)
    # An array that the function closes over is part of it.
    sweep(holds(jnp.arange(3)), axes, store=tmp_path / "h.zarr")
    sweep(holds(jnp.arange(3)), axes, store=tmp_path / "h.zarr")
    with pytest.raises(ValueError, match="another function: its code, or arrays"):
        sweep(holds(jnp.arange(1, 4)), axes, store=tmp_path / "h.zarr")


def test_what_is_no_store_is_left_as_it_is(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep")
    (tmp_path / "file").write_text("keep")
    xr.Dataset({"y": ("x", [1, 2])}).to_zarr(tmp_path / "other.zarr", zarr_format=2)
    for name in ("notes", "file", "other.zarr"):
        with pytest.raises(ValueError, match=f"store: .*{name} is no store of a sweep"):
            sweep(shifted, {"x": np.arange(3.0)}, store=tmp_path / name)
    with pytest.raises(OSError, match="store: .* cannot be written to"):
        sweep(shifted, {"x": np.arange(3.0)}, store=tmp_path / "file" / "below")
    assert (tmp_path / "notes" / "mine.txt").read_text() == "keep"
    (tmp_path / "empty").mkdir()  # as from `tempfile.mkdtemp`
    assert sweep(shifted, {"x": np.arange(3.0)}, store=tmp_path / "empty").y.shape == (3,)


def test_half_written_and_damaged_chunks_are_never_taken_for_whole(tmp_path):
    store, axes = tmp_path / "s.zarr", {"x": np.arange(12.0)}
    want = sweep(shifted, axes, chunk=3, store=store)
    (store / ".checksums" / "1.npz").unlink()  # as if stopped before it was written
    (store / "y" / "1").write_bytes(b"half")
    (store / "y" / "0.1234.partial").write_bytes(b"left over")
    xr.testing.assert_identical(sweep(shifted, axes, store=store), want)
    assert not list(store.rglob("*.partial"))
    whole = (store / "y" / "2").read_bytes()
    flipped = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]
    for content in (whole[:-5], flipped, (store / "y" / "3").read_bytes(), None):
        (store / "y" / "2").unlink()
        if content is not None:
            (store / "y" / "2").write_bytes(content)
        with pytest.warns(UserWarning, match="store: .*s.zarr is damaged: y/2 are altered or lost"):
            xr.testing.assert_identical(sweep(shifted, axes, store=store), want)
        xr.testing.assert_identical(sweep(shifted, axes, store=store), want)


@pytest.mark.parametrize("name", [".zattrs", ".zmetadata", "y/.zarray", "x/0", "y"])
def test_a_store_with_damaged_metadata_or_without_an_output_is_refused_by_name(tmp_path, name):
    store, axes = tmp_path / "s.zarr", {"x": np.arange(6.0)}
    sweep(shifted, axes, chunk=3, store=store)
    if (store / name).is_dir():
        shutil.rmtree(store / name)
    else:
        (store / name).write_bytes((store / name).read_bytes()[:-1] + b"x")
    with pytest.raises(
        ValueError, match=rf"store: .*s.zarr is damaged, in {name}.*delete this one"
    ):
        sweep(shifted, axes, store=store)


def test_sweeps_that_start_one_store_at_the_same_instant_both_return_it(tmp_path):
    axes, start = {"x": np.arange(6.0)}, threading.Barrier(3)

    def call(k):
        start.wait()
        return sweep(shifted, axes, chunk=2, store=tmp_path / f"{k}.zarr").y.values

    with ThreadPoolExecutor(3) as pool:
        for k in range(5):
            for y in pool.map(call, [k] * 3):
                np.testing.assert_array_equal(y, np.arange(6.0) + 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{k}.zarr" for k in range(5)]


def test_the_default_chunk_fits_the_memory_and_a_store_keeps_its_own(tmp_path, monkeypatch):
    def wide(x):
        return {"y": jnp.full((1000,), x)}  # 8 kB a point

    axes = {"x": np.arange(3000.0)}
    module = importlib.import_module("bpcjax.sweep.sweep")  # its name is also that of the function
    monkeypatch.setattr(module, "_room", lambda device: 1e6)
    dataset = sweep(wide, axes, store=tmp_path / "s.zarr")
    assert 50 <= dataset.attrs["chunk"] <= 125  # 1 MB holds 125 outputs, and some temporaries
    np.testing.assert_array_equal(dataset.y[:, 7], axes["x"])
    monkeypatch.undo()
    assert sweep(wide, axes, store=tmp_path / "s.zarr").attrs["chunk"] == dataset.attrs["chunk"]
    assert sweep(shifted, {"x": np.arange(1e5)}).attrs["tile"] == [6250]  # a sixteenth
    assert sweep(shifted, {"x": np.arange(3.0)}).attrs["tile"] == [1]  # progress after each
    assert sweep(shifted, {"x": np.arange(3e5)}).attrs["chunk"] <= 8192


def test_threads_keep_the_precision_of_the_caller():
    with jax.enable_x64(False):
        assert sweep(shifted, {"x": np.arange(6.0)}, chunk=2).y.dtype == np.float32
        with pytest.raises(ValueError, match=r"axes\['x'\] exceeds int32"):
            sweep(shifted, {"x": np.array([1, 2**40])})
        with pytest.raises(ValueError, match=r"axes\['x'\] exceeds float32"):
            sweep(shifted, {"x": np.array([1.0, 1e300])})
    assert sweep(shifted, {"x": np.arange(6.0)}, chunk=2).y.dtype == np.float64


def test_progress_shows_points_and_the_time_left(capsys):
    bpc.sweep(shifted, {"x": np.arange(6.0)}, chunk=2)
    shown = capsys.readouterr().err
    assert "sweep: 100%" in shown and "6.00/6.00" in shown and "<00:00" in shown
    sweep(shifted, {"x": np.arange(6.0)}, chunk=2)
    assert capsys.readouterr().err == ""


X = {"x": np.arange(4.0)}


@pytest.mark.parametrize(
    "run, axes, options, message",
    [
        (shifted, {}, {}, "axes: pass at least one"),
        (shifted, {"x": []}, {}, r"axes\['x'\] has shape \(0,\)"),
        (shifted, {"x": 1.0}, {}, r"axes\['x'\] has shape \(\)"),
        (shifted, {"x": np.zeros((2, 2))}, {}, r"axes\['x'\] has shape \(2, 2\)"),
        (shifted, {"x": jax.random.key(0)}, {}, r"axes\['x'\] has shape \(\)"),
        (shifted, {"x": ["a", "b"]}, {}, r"axes\['x'\] holds <U1"),
        (shifted, {"method": [1.0]}, {}, "axes 'method': `dataset.sel` has"),
        (shifted, {"a/b": [1.0]}, {}, "axes 'a/b': a name must be"),
        (shifted, {"z": [1.0]}, {}, "unexpected keyword argument 'z'"),
        (shifted, X, {"chunk": 0}, "chunk must be at least 1, got 0"),
        (shifted, X, {"devices": []}, "devices must be of this process"),
        (lambda x: {"x": x}, X, {}, "output 'x' has a name in use"),
        (lambda x: {"done": x}, X, {}, "output 'done' has a name in use"),
        (lambda x: {"y": ("x", x[None])}, X, {}, "dimension 'x' of 'y' has a name in use"),
        (lambda x: {"y": ("y", x[None])}, X, {}, "dimension 'y' of 'y' has a name in use"),
        (lambda x: {"y": ("t", x)}, X, {}, r"output 'y' has shape \(\) but dimensions \('t',\)"),
        (lambda x: {"y": (("t", "t"), jnp.ones((2, 2)))}, X, {}, "'y' has shape .* but dimensions"),
        (lambda x: {"y": ("t", x, x)}, X, {}, r"output 'y' must be an array or \(dims, array\)"),
        (lambda x: {"y": jnp.ones(0) * x}, X, {}, "'y_0' of 'y' has length 0"),
        (
            lambda x: {"y": ("t", jnp.ones(2)), "z": ("t", jnp.ones(3))},
            X, {}, "'t' of 'z' has length 3, but 2 in another output",
        ),
        (lambda x: {"y": x.astype(jnp.bfloat16)}, X, {}, "output 'y' holds bfloat16: cast"),
        (lambda x: {"y": jax.random.key(0)}, X, {}, "output 'y' holds key<fry>: cast"),
        (lambda x: x, X, {}, "run must return a dict of arrays"),
        (lambda x: {}, X, {}, "run must return a dict of arrays, not empty"),
        (
            lambda x: {"y": x[:2]}, X, {"batch": lambda run: run, "chunk": 4},
            r"output 'y' has shape \(2,\) for a chunk of 4 points",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_named(run, axes, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        sweep(run, axes, **options)


def test_whole_numbers_of_any_type_are_a_chunk(tmp_path):
    dataset = sweep(shifted, X, chunk=np.int64(2), store=tmp_path / "s.zarr")
    assert dataset.attrs["chunk"] == 2 and type(dataset.attrs["chunk"]) is int


def test_the_sweep_is_a_function_and_light_until_called():
    assert callable(bpc.sweep) and bpc.sweep is sys.modules["bpcjax.sweep"].sweep
