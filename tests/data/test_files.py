"""Whatever happens while a file is written, it is whole or not there, and nothing is left behind;
one test for every kind of file."""

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from bpcjax import _files
from bpcjax._files import FileError, read_arrays, replacing, save_arrays
from experiments.common.training import run_epochs
from tests.support.files import KINDS, REFUSALS, checkpoints, expected, remains, same, saved

kinds = pytest.mark.parametrize("kind", KINDS)
BY_ZARR = ("sweep", "saved")  # whose threads write on while the exception travels


def check(kind, folder):
    """The call gives the right numbers, and leaves nothing of those that were stopped."""
    assert same(KINDS[kind](folder), expected(kind))
    if kind == "saved":
        saved(folder, again=True)
    assert not remains(folder)


class Stop(BaseException):
    """What stops a program in the middle."""


def stopping(monkeypatch, at, error, killed=False):
    """Raise the error at the `at`-th time that a file is synced or renamed; where `killed`, nothing
    is cleaned up after that. The number of times so far, in a list."""
    count, remove = [0], shutil.rmtree

    def counted(call):
        def counting(*args, **kwargs):
            count[0] += 1
            if count[0] == at:
                raise error
            return call(*args, **kwargs)

        return counting

    for name in ("fsync", "replace", "rename"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    if killed:
        monkeypatch.setattr(
            shutil, "rmtree", lambda *args, **_: count[0] >= at or remove(*args, **_)
        )
    return count


def stop(tmp_path, monkeypatch, kind, killed, chosen):
    """Stop the call at each of the `chosen(count)` of its points; the next one gives the same."""
    with monkeypatch.context() as patch:
        count = stopping(patch, np.inf, Stop())
        KINDS[kind](tmp_path / "whole")
    assert count[0] >= 5
    for at in chosen(count[0]):
        folder = tmp_path / str(at)
        with monkeypatch.context() as patch, contextlib.suppress(Stop):
            stopping(patch, at, Stop(), killed)
            KINDS[kind](folder)
        assert killed or not remains(folder) or kind in BY_ZARR
        check(kind, folder)


@kinds
def test_killed_at_some_point_the_next_call_gives_the_same(tmp_path, monkeypatch, kind):
    stop(tmp_path, monkeypatch, kind, True, lambda count: (2, count // 2, count - 1))


@pytest.mark.slow
@kinds
@pytest.mark.parametrize("killed", [False, True], ids=["interrupted", "killed"])
def test_stopped_at_any_point_the_next_call_gives_the_same(tmp_path, monkeypatch, kind, killed):
    every = 3 if kind in BY_ZARR else 1  # there are some 150
    stop(tmp_path, monkeypatch, kind, killed, lambda count: range(1, count + 1, every))


@kinds
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        pytest.param(OSError(errno.EROFS, "Read-only"), marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_is_an_error_that_names_the_place(tmp_path, monkeypatch, kind, error):
    for name in ("one", "two"):
        folder = tmp_path / name
        with monkeypatch.context() as patch:
            if name == "one":  # it cannot be begun
                patch.setattr(tempfile, "mkdtemp", lambda *_, **__: (_ for _ in ()).throw(error))
            else:
                stopping(patch, 3, error)
            with pytest.raises(REFUSALS, match=rf"{tmp_path}.*{error.strerror}") as caught:
                KINDS[kind](folder)
            assert "another" in str(caught.value) and "\n" not in str(caught.value)
        check(kind, folder)


@kinds
def test_two_writers_at_once_both_have_it(tmp_path, kind):
    start = threading.Barrier(2)

    def call(k):
        start.wait()
        return KINDS[kind](tmp_path / str(k))

    with ThreadPoolExecutor(2) as pool:
        for k in range(2):
            assert all(same(x, expected(kind)) for x in pool.map(call, [k] * 2))
            check(kind, tmp_path / str(k))


@kinds
def test_folders_may_have_any_name_and_be_links(tmp_path, kind):
    folder = tmp_path / "größe 雪 [a] *?"
    check(kind, folder)
    (tmp_path / "link").symlink_to(folder)
    shutil.move(folder, tmp_path / "elsewhere")
    (tmp_path / folder.name).symlink_to(tmp_path / "elsewhere")
    check(kind, tmp_path / "link")


SCRIPT = """
import os, signal, sys
from pathlib import Path
from tests.support.files import KINDS

folder, number = Path(sys.argv[1]), getattr(signal, sys.argv[2])
signal.signal(signal.SIGINT, signal.default_int_handler)  # the shell may have it ignored
for kind in KINDS:
    for at in (1, 3):
        child = os.fork()
        if child:
            print(kind, os.waitpid(child, 0)[1])
            continue
        fsync, count = os.fsync, [0]

        def stop(handle):
            count[0] += 1
            if count[0] == at:
                os.kill(os.getpid(), number)
            fsync(handle)

        os.fsync = stop
        try:
            KINDS[kind](folder / f"{kind} {at}")
        except KeyboardInterrupt:
            os._exit(2)
        os._exit(3)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_signals(tmp_path, name):
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path), name],
        env=os.environ | {"PYTHONPATH": root, "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    stops = [line.split() for line in done.stdout.splitlines()]
    assert [kind for kind, _ in stops] == [kind for kind in KINDS for _ in range(2)], done.stderr
    assert {int(status) for _, status in stops} <= {2 << 8, 9, 15}  # all were stopped in the middle
    for folder in tmp_path.iterdir():
        check(folder.name.split()[0], folder)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, capsys):
    checkpoints(tmp_path)
    (tmp_path / "run1.npz").write_bytes(b"half")
    epochs = []

    def update(state, epoch):
        epochs.append(epoch)
        return state, {"loss": np.float64(0), "row": np.zeros(2)}

    with pytest.warns(UserWarning, match="run1.npz is cut short.* goes on from the epoch before"):
        run_epochs(update, (np.zeros(4), np.array(0)), 3, path=tmp_path / "run1.npz")
    assert epochs == [2]


def test_many_writers_of_a_folder_leave_one_whole(tmp_path):
    def write(k):
        with replacing(tmp_path / "folder") as new:
            new.mkdir()
            (new / "file").write_text(str(k))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(100)))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert int((tmp_path / "folder" / "file").read_text()) in range(100)


def test_what_lives_is_not_removed(tmp_path):
    path = tmp_path / "a.npz"
    with replacing(path) as new:
        new.write_text("half")
        save_arrays(path, "a", {"x": np.arange(3)})  # another writer, meanwhile
        assert new.exists()
        new.write_text("whole")
    assert path.read_text() == "whole" and not remains(tmp_path)


def test_a_link_to_a_file_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "a.npz").symlink_to(tmp_path / "far" / "b.npz")
    save_arrays(tmp_path / "a.npz", "a", {"x": np.arange(3)})
    assert (tmp_path / "a.npz").is_symlink() and (tmp_path / "far" / "b.npz").is_file()
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz", "a")["x"], np.arange(3))


def test_archives_are_read_by_numpy_and_keep_types(tmp_path):
    arrays = {"file": np.eye(3).T, "a/b": np.zeros((0, 2), "i2"), "t": np.array("ä"), "k": 7}
    save_arrays(tmp_path / "a.npz", "a", arrays)
    with np.load(tmp_path / "a.npz") as file:
        plain = dict(file)
    for back in (plain, read_arrays(tmp_path / "a.npz", "a")):
        assert same(back, {name: np.asarray(array) for name, array in arrays.items()})


@pytest.mark.parametrize("value", [np.array([None]), np.zeros(2, "i4,f8"), "jax"])
def test_what_numpy_would_not_give_back_is_refused(tmp_path, value):
    value = jnp.ones(2, jnp.bfloat16) if isinstance(value, str) else value
    with pytest.raises(TypeError, match="a.npz: 'x' holds .*: cast it"):
        save_arrays(tmp_path / "a.npz", "a", {"x": value})
    assert not list(tmp_path.iterdir())


def test_another_label_version_or_program_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    with pytest.raises(FileError, match="a.npz cannot be read"):
        read_arrays(path, "a")
    save_arrays(path, "a", {"x": np.arange(3)})
    with pytest.raises(FileError, match="a.npz holds 'a', not 'b'"):
        read_arrays(path, "b")
    for name, message in (("FORMAT", "is of version 1, not"), ("PROGRAM", "not written by")):
        with monkeypatch.context() as patch:
            patch.setattr(_files, name, "other")
            with pytest.raises(FileError, match=f"a.npz .*{message} other"):
                read_arrays(path, "a")
