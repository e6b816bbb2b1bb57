"""A sweep that is killed, shared or short of room gives the bits of one that was left alone."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import bpcjax as bpc

POINTS = 12 * 31
CHUNK = 12  # 48 blocks of 1 x 8; the last of the 4 in a row has 7 points and a padding


def axes():
    return {"r": np.linspace(3.6, 4.0, 12), "key": jax.random.split(jax.random.key(1), 31)}


def orbit(r, key):
    """A chaotic map: it doubles an error of the last bit at every turn, 3,000 times."""

    def turn(_, x):
        return r * x * (1 - x) + 1e-3 * jnp.sin(jnp.exp(x)) * (4 - r)

    x = jax.lax.fori_loop(0, 3000, turn, jax.random.uniform(key))
    return {"x": x, "path": ("turn", jax.lax.scan(lambda x, _: (turn(0, x), x), x, length=100)[1])}


def slow_orbit(r, key):
    """The same, with time to be killed in."""
    result = orbit(r, key)
    jax.debug.callback(lambda _: time.sleep(0.006), result["x"])  # at each point
    return result


def worker(kind: str, store: str, *options: str) -> None:
    """What the processes that these tests start do."""
    jax.config.update("jax_enable_x64", True)
    if kind == "slow":
        bpc.sweep(slow_orbit, axes(), chunk=CHUNK, store=store)
    elif kind == "devices":
        assert len(jax.local_devices()) == 4
        bpc.sweep(orbit, axes(), chunk=CHUNK, store=store, progress=False)
    elif kind == "share":
        port, process = options
        jax.distributed.initialize(f"localhost:{port}", 2, int(process))
        dataset = bpc.sweep(orbit, axes(), chunk=CHUNK, store=store)
        print(np.asarray(dataset.x).tobytes().hex())
    elif kind == "full":
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(options[0]), most))
        bpc.sweep(orbit, axes(), chunk=CHUNK, store=store, progress=False)


def start(*arguments, **environment) -> subprocess.Popen:
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": paths, "JAX_PLATFORMS": "cpu"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def alone():
    return bpc.sweep(orbit, axes(), chunk=CHUNK, progress=False)


@pytest.mark.slow
def test_the_orbit_shows_an_error_of_the_last_bit(alone):
    # Else the tests below could not fail.
    nudged = bpc.sweep(lambda r, key: orbit(r + 1e-15, key), axes(), chunk=CHUNK, progress=False)
    assert (nudged.x != alone.x).mean() > 0.9


def test_killed_half_way_it_goes_on_and_gives_the_same_bits(tmp_path):
    store = tmp_path / "s.zarr"
    process = start("slow", store)
    flags, deadline = store / "done", time.monotonic() + 60
    while len(list(flags.glob("[0-9]*.[0-9]"))) < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = xr.open_zarr(store, chunks=None).load()
    assert 5 * 7 <= int(kept.done.sum()) < POINTS  # it was stopped half-way
    sums = (store / ".checksums").glob("[0-9]*")
    old = {path: path.stat().st_mtime_ns for path in sums}
    assert len(old) >= 3  # at most two were at work when it was killed
    dataset = bpc.sweep(slow_orbit, axes(), chunk=CHUNK, store=store, progress=False)
    assert all(path.stat().st_mtime_ns == then for path, then in old.items())  # none done again
    then = kept.drop_vars("done")
    xr.testing.assert_identical(then.where(kept.done), dataset.where(kept.done))
    xr.testing.assert_equal(dataset, bpc.sweep(slow_orbit, axes(), chunk=CHUNK, progress=False))


@pytest.mark.slow
def test_four_devices_give_the_same_bits(tmp_path, alone):
    process = start(
        "devices", tmp_path / "s.zarr", XLA_FLAGS="--xla_force_host_platform_device_count=4"
    )
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    # Here there is one device: the store of four is taken for this sweep's own, and is whole.
    dataset = bpc.sweep(orbit, axes(), chunk=CHUNK, store=tmp_path / "s.zarr", progress=False)
    xr.testing.assert_equal(dataset, alone)


@pytest.mark.slow
def test_two_processes_share_the_work_and_give_the_same_bits(tmp_path, alone):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    processes = [start("share", tmp_path / "s.zarr", port, k) for k in range(2)]
    ends = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    for out, _ in ends:  # each returns the whole
        assert out.split()[-1] == np.asarray(alone.x).tobytes().hex()
    # The first did its half, two full blocks of every row, and shows it; the second shows nothing.
    assert "100%" in ends[0][1] and f"/{12 * 2 * 8}" in ends[0][1], ends[0][1]
    assert "sweep" not in ends[1][1]
    dataset = bpc.sweep(orbit, axes(), chunk=CHUNK, store=tmp_path / "s.zarr", progress=False)
    xr.testing.assert_equal(dataset, alone)


@pytest.mark.slow
def test_two_processes_that_start_one_store_at_once_take_turns(tmp_path):
    processes = [start("slow", tmp_path / "s.zarr") for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert sum("waiting for another process" in text for text in errors) <= 1
    old = {path: path.stat().st_mtime_ns for path in (tmp_path / "s.zarr").rglob("*")}
    dataset = bpc.sweep(slow_orbit, axes(), chunk=CHUNK, store=tmp_path / "s.zarr", progress=False)
    assert all(path.stat().st_mtime_ns == then for path, then in old.items())
    xr.testing.assert_equal(dataset, bpc.sweep(orbit, axes(), chunk=CHUNK, progress=False))


@pytest.mark.slow
@pytest.mark.parametrize("limit", [300, 5_000])
def test_a_full_disk_is_an_error_and_the_store_can_be_gone_on_with(tmp_path, alone, limit):
    store = tmp_path / "s.zarr"
    # Bytes that a file may have: too few for what describes the store; for a block of `path`,
    # 8 x 100 numbers.
    process = start("full", store, limit)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    last = errors.strip().splitlines()[-1]
    assert "WriteError: " in last and "store:" in last and "cannot be written to" in last
    assert "File too large" in last and "Make room" in last
    assert store.exists() == (limit == 5_000)
    if store.exists():
        assert not xr.open_zarr(store, chunks=None).done.any()
    dataset = bpc.sweep(orbit, axes(), chunk=CHUNK, store=store, progress=False)
    xr.testing.assert_equal(dataset, alone)


if __name__ == "__main__":
    worker(*sys.argv[1:])


@pytest.mark.slow
def test_points_that_factor_matrices_do_not_wait_for_each_other_for_ever():
    # Two batches of factorisations at once stop for good in jaxlib's pool of threads.
    code = """if True:
        import jax, jax.numpy as jnp, numpy as np, bpcjax as bpc
        matrix = np.sin(np.arange(1024.0)).reshape(32, 32)

        def run(shift):
            return {"x": jnp.linalg.solve(matrix + shift * jnp.eye(32), jnp.ones(32))[0]}

        found = bpc.sweep(run, {"shift": jnp.linspace(1.0, 9.0, 1024)}, chunk=128, progress=False)
        expected = np.linalg.solve(matrix + 9.0 * np.eye(32), np.ones(32))[0]
        assert abs(float(found.x[-1]) - expected) < 1e-4 * (1 + abs(expected))
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
