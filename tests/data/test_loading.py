"""Data sets: what is read is what the files hold, or an error that names file and remedy."""

import hashlib
import signal
import subprocess
import threading

import numpy as np
import pytest

from bpcjax import data
from bpcjax.data import cache_folder
from bpcjax.data.cache import read, write
from bpcjax.data.files import File
from bpcjax.data.images import IdxImages
from bpcjax.data.loading import load_set
from tests.support.datasets import PARTS, check, idx, packed_as, run, tiny


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The set, what it holds, its folder, and a cache that has it; to be copied, not changed."""
    folder, cache = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("cache")
    dataset, arrays = tiny(folder)
    load_set([dataset], "train", folder, cache_dir=cache)
    return dataset, arrays, folder, cache


@pytest.fixture
def own(prepared, tmp_path):
    """The same, in copies."""
    dataset, arrays, folder, cache = prepared
    for name, source in (("files", folder), ("cache", cache)):
        subprocess.run(["cp", "-r", source, tmp_path / name], check=True)
    return dataset, arrays, tmp_path / "files", tmp_path / "cache"


# From a folder, and from the cache


def test_a_set_is_what_its_files_hold_in_their_order(prepared):
    dataset, arrays, folder, cache = prepared
    before = {path: path.stat() for path in folder.iterdir()}
    for _ in range(2):
        check(load_set([dataset], "train", folder, cache_dir=cache), arrays)
        check(load_set([dataset], "test", folder, cache_dir=cache), arrays, "t10k")
    both = load_set([dataset], "all", folder, cache_dir=cache)
    check(data.Images(both.pixels[:2100], both.labels[:2100]), arrays)
    check(data.Images(both.pixels[2100:], both.labels[2100:]), arrays, "t10k")
    # Nothing was written next to the files.
    assert {p: s.st_mtime_ns for p, s in before.items()} == {
        p: p.stat().st_mtime_ns for p in folder.iterdir()
    }


def test_a_set_in_its_own_folder_of_many_is_found(own, monkeypatch):
    dataset, arrays, folder, cache = own
    folder.rename(folder.parent / "tiny")
    check(load_set([dataset], "train", folder.parent, cache_dir=cache), arrays)
    monkeypatch.setenv("BPCJAX_DATA", str(folder.parent))
    check(load_set([dataset], "train", cache_dir=cache), arrays)
    monkeypatch.setenv("BPCJAX_DATA", str(folder.parent / "nowhere"))
    with pytest.raises(data.DataError, match="BPCJAX_DATA: .*nowhere is no folder"):
        load_set([dataset], "train", cache_dir=cache)
    monkeypatch.delenv("BPCJAX_DATA")
    monkeypatch.setenv("BPCJAX_CACHE", str(cache))
    check(load_set([dataset], "train"), arrays)  # neither folder nor network: the cache


@pytest.mark.slow
def test_the_cache_needs_no_tensorflow_datasets(prepared):
    _, _, folder, cache = prepared
    script = """
        import sys
        sys.modules["tensorflow_datasets"] = None  # as if it were not installed
        from pathlib import Path
        from bpcjax.data.loading import load_set
        from tests.support.datasets import tiny
        import tempfile
        with tempfile.TemporaryDirectory() as other:
            dataset, _ = tiny(Path(other))
        images = load_set([dataset], "train", sys.argv[1], cache_dir=sys.argv[2])
        print(images.pixels.shape)
        load_set([dataset], "train", sys.argv[1], cache_dir=sys.argv[2] + "/empty")
        """
    done = run(script, folder, cache)
    assert done.stdout.strip() == "(2100, 28, 28)", done.stderr
    assert "ImportError: preparing a data set needs tensorflow-datasets: pip" in done.stderr


@pytest.mark.parametrize("part", PARTS)
def test_a_flipped_bit_in_a_file_is_found_though_there_is_a_cache(own, part):
    dataset, _, folder, cache = own
    path = folder / f"{part}-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(data.DataError, match=f"data_dir: .*{part}.*sha256.*official.*again"):
        load_set([dataset], "train", folder, cache_dir=cache)


def test_a_file_cut_short_and_a_missing_one(own):
    dataset, _, folder, cache = own
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(data.DataError, match="data_dir: .*t10k-images.*bytes.*is cut short"):
        load_set([dataset], "train", folder, cache_dir=cache)
    path.unlink()
    with pytest.raises(data.DataError, match="data_dir: .*t10k-images-idx3-ubyte.gz is missing"):
        load_set([dataset], "train", folder, cache_dir=cache)
    for other in folder.iterdir():
        other.unlink()
    with pytest.raises(data.DataError, match="data_dir: no tiny in .*train-images-idx3-ubyte.gz"):
        load_set([dataset], "train", folder, cache_dir=cache)
    with pytest.raises(data.DataError, match="data_dir: .*nowhere is no folder"):
        load_set([dataset], "train", folder / "nowhere", cache_dir=cache)


def test_the_right_sums_of_wrong_files(tmp_path):
    dataset, _ = tiny(tmp_path, train=7)
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(packed_as(idx(np.zeros(6))))
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    files = [File(f.name, right, f.url) if f.name == path.name else f for f in dataset.files]
    dataset = IdxImages("tiny", tuple(files), ("tiny",))
    with pytest.raises(data.DataError, match=r"shape \(7, 28, 28\) and labels of shape \(6,\)"):
        load_set([dataset], "train", tmp_path, cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.npz"))


# A cache that is stale, damaged or half-written


def cut(content):
    return content[: len(content) // 2]


def flip(content):
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage", [cut, flip, lambda c: b"", lambda c: b"no zip", lambda c: c[:-1]]
)
def test_a_damaged_cache_is_made_anew(own, damage):
    dataset, arrays, folder, cache = own
    path = cache / dataset.mark / "train.npz"
    good = path.read_bytes()
    path.write_bytes(damage(good))
    with pytest.warns(UserWarning, match="train.npz is .*altered.* It is made anew"):
        check(load_set([dataset], "train", folder, cache_dir=cache), arrays)
    check(load_set([dataset], "train", folder, cache_dir=cache), arrays)  # no warning now
    assert not list(path.parent.glob(".train*"))


def test_a_cache_of_another_version_or_program_is_made_anew(own, monkeypatch):
    dataset, arrays, folder, cache = own
    path = cache / dataset.mark / "train.npz"
    changed = read(path)
    changed["label"] = changed["label"] + 1  # what it meant then
    with monkeypatch.context() as patch:
        patch.setattr("bpcjax.data.cache.VERSION", 0)
        write(path, changed)
    with pytest.warns(UserWarning, match="train.npz holds '0/tiny-.*', not '1/tiny-.*made anew"):
        check(load_set([dataset], "train", folder, cache_dir=cache), arrays)
    np.savez(path, **changed)
    with pytest.warns(UserWarning, match="train.npz .* was not written by bpcjax. It is made anew"):
        check(load_set([dataset], "train", folder, cache_dir=cache), arrays)
    assert read(path) is not None


def test_a_damaged_prepared_set_is_made_anew(own):
    dataset, arrays, folder, cache = own
    (record,) = (cache / dataset.mark).rglob("*train.array_record*")
    record.write_bytes(flip(record.read_bytes()))
    (cache / dataset.mark / "train.npz").unlink()
    check(load_set([dataset], "train", folder, cache_dir=cache), arrays)


@pytest.mark.slow
def test_killed_while_preparing(own):
    dataset, arrays, folder, cache = own
    subprocess.run(["rm", "-r", cache / dataset.mark], check=True)
    script = """
        import dataclasses, itertools, os, signal, sys
        from pathlib import Path
        import tempfile
        from bpcjax.data.loading import load_set
        from tests.support.datasets import tiny
        from bpcjax.data.images import IdxImages

        class Deadly(IdxImages):
            def examples(self, paths, split):
                yield from itertools.islice(super().examples(paths, split), 1500)
                os.kill(os.getpid(), signal.SIGKILL)

        with tempfile.TemporaryDirectory() as other:
            dataset, _ = tiny(Path(other))
        deadly = Deadly(dataset.name, dataset.files, dataset.folders)
        load_set([deadly], "train", sys.argv[1], cache_dir=sys.argv[2])
        """
    assert run(script, folder, cache).returncode == -signal.SIGKILL
    assert list((cache / dataset.mark).rglob("incomplete*"))
    check(load_set([dataset], "train", folder, cache_dir=cache), arrays)
    assert not list((cache / dataset.mark).rglob("incomplete*"))


@pytest.mark.slow
def test_a_full_disk(own):
    dataset, arrays, folder, cache = own
    subprocess.run(["rm", "-r", cache / dataset.mark], check=True)
    script = """
        import resource, sys
        from pathlib import Path
        import tempfile
        from bpcjax import data
        from bpcjax.data.loading import load_set
        from tests.support.datasets import tiny
        import tensorflow_datasets

        with tempfile.TemporaryDirectory() as other:
            dataset, _ = tiny(Path(other))
        for limit in (100_000, 1_000_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, 1_000_000))
            try:
                load_set([dataset], "train", sys.argv[1], cache_dir=sys.argv[2])
            except data.DataError as error:
                print(error)
        """
    done = run(script, folder, cache)
    preparing, keeping = done.stdout.strip().splitlines()
    for said in (preparing, keeping):
        assert said.startswith("cache_dir: writing to") and "Free some space" in said
        assert "File too large" in said
    assert "array_record" in preparing and "array_record" not in keeping
    assert not list(cache.rglob("*train.npz*"))
    check(load_set([dataset], "train", folder, cache_dir=cache), arrays)


@pytest.mark.slow
def test_two_processes_at_once(own):
    dataset, arrays, folder, cache = own
    subprocess.run(["rm", "-r", cache / dataset.mark], check=True)
    script = """
        import sys
        from pathlib import Path
        import tempfile
        from bpcjax.data.loading import load_set
        from tests.support.datasets import check, tiny
        with tempfile.TemporaryDirectory() as other:
            dataset, arrays = tiny(Path(other))
        check(load_set([dataset], "train", sys.argv[1], cache_dir=sys.argv[2]), arrays)
        """
    done = []
    threads = [
        threading.Thread(target=lambda: done.append(run(script, folder, cache))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    # One prepared it, the other waited for it.
    assert sum("Generating" in one.stderr for one in done) == 1


def test_arrays_in_the_cache_come_back_as_they_were(tmp_path):
    arrays = {
        "a": np.arange(6, dtype=np.int16).reshape(2, 3),
        "b": np.zeros((0, 4)),
        "c": np.eye(2).T,
    }
    write(tmp_path / "some" / "x.npz", arrays)
    back = read(tmp_path / "some" / "x.npz")
    assert back is not None and back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
    assert read(tmp_path / "y.npz") is None


def test_where_the_cache_is(monkeypatch, tmp_path):
    for name in ("BPCJAX_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "bpcjax"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")  # the standard says: ignore it
    assert cache_folder() == tmp_path / ".cache" / "bpcjax"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "bpcjax"
    monkeypatch.setenv("BPCJAX_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert cache_folder(tmp_path / "given") == tmp_path / "given"
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(data.DataError, match="cache_dir: cannot make the folder .*file"):
        write(tmp_path / "file" / "x.npz", {})
    monkeypatch.setenv("BPCJAX_CACHE", str(tmp_path / "file"))
    dataset, _ = tiny(tmp_path, train=3)
    with pytest.raises(data.DataError, match="cache_dir: cannot make the folder .*file"):
        load_set([dataset], "train", tmp_path)
