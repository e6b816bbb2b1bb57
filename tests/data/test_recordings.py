"""Events and sound: a user's own, recordings of an event camera, spoken digits."""

import csv
import io
import os
import wave
import zipfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import bpcjax as bpc
from bpcjax import data
from bpcjax.data.files import File, md5, sha256, sum_of_members
from bpcjax.data.loading import load_set
from bpcjax.data.nmnist import EventFiles, labels_by_folder, labels_by_list, read_events
from bpcjax.data.speech import SpokenDigits, read_wav
from tests.support.datasets import ROOT

# A user's own

OWN = data.events(
    [[3.0, 1.0, 2.0], [], [5.5]], [[0, 2, 1], [], [700]], labels=[7, 8, 9], shape=(2, 400)
)


def test_own_events_are_sorted_and_padded():
    assert len(OWN) == 3 and OWN.size == 800 and OWN.shape == (2, 400)
    np.testing.assert_array_equal(OWN.counts, [3, 0, 1])
    times, channels = OWN[0]
    np.testing.assert_array_equal(times, [1, 2, 3])
    np.testing.assert_array_equal(channels, [2, 1, 0])
    padded = OWN.padded()
    inf = np.inf
    np.testing.assert_array_equal(padded.times, [[1, 2, 3], [inf] * 3, [5.5, inf, inf]])
    np.testing.assert_array_equal(padded.neurons, [[2, 1, 0], [-1] * 3, [700, -1, -1]])
    np.testing.assert_array_equal(padded.count, [3, 0, 1])
    assert padded.ok.all() and OWN.padded(9).times.shape == (3, 9)
    with pytest.raises(data.DataError, match="room: recording 0 has 3 events, but room is 2.*=3"):
        OWN.padded(2)


def test_a_part_of_own_events():
    late = OWN.between(2.0, 5.5)
    np.testing.assert_array_equal(late.counts, [2, 0, 0])
    np.testing.assert_array_equal(late.times, [2, 3])
    some = OWN[[2, 0]]
    np.testing.assert_array_equal(some.labels, [9, 7])
    np.testing.assert_array_equal(some.times, [5.5, 1, 2, 3])
    np.testing.assert_array_equal(OWN[1:].counts, [0, 1])
    np.testing.assert_array_equal(OWN[np.array([True, False, False])].channels, [2, 1, 0])
    np.testing.assert_array_equal(OWN[-1][1], [700])
    assert len(list(OWN)) == 3
    with pytest.raises(IndexError):
        OWN[3]


ragged = st.lists(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 50)), max_size=12), max_size=8
)


@given(recordings=ragged)
@settings(max_examples=100, deadline=None)
def test_events_survive_every_way_through(recordings):
    times = [[t for t, _ in row] for row in recordings]
    channels = [[c for _, c in row] for row in recordings]
    made = data.events(times, channels, shape=51)
    padded = made.padded()
    assert len(made) == len(recordings)
    for i, row in enumerate(recordings):
        expected = sorted(row, key=lambda event: event[0])  # stable
        got = list(zip(*made[i], strict=True))
        assert got == expected
        in_room = zip(padded.times[i].tolist(), padded.neurons[i].tolist(), strict=True)
        assert list(in_room) == expected + [(np.inf, -1)] * (padded.times.shape[1] - len(row))


@pytest.mark.parametrize(
    "arguments, why",
    [
        (([[1.0]], [[0], [1]]), "channels has 2 recordings, times has 1"),
        (([[1.0], [1.0, 2.0]], [[0], [1]]), r"channels\[1\] has 1 entries, times\[1\] has 2"),
        (([[1.0], [np.nan]], [[0], [1]]), r"times\[1\] has the entry nan at 0.*not an event"),
        (([[1.0, np.inf]], [[0, 1]]), r"times\[0\] has the entry inf at 1"),
        (([[1.0, 2.0]], [[0, -1]]), r"channels\[0\] has the entry -1 at 1.*padding"),
        (([[1.0]], [[0.5]]), r"channels\[0\] must be integers, got float64"),
        (([["soon"]], [[0]]), "times must be real numbers"),
        (([[1j]], [[0]]), "times must be real numbers"),
        (([1.0], [0]), r"times\[0\] must have one axis"),
        (([[1.0]], [[2**40]]), "channels has the entry 1099511627776"),
    ],
)
def test_own_events_that_make_no_sense(arguments, why):
    with pytest.raises(data.DataError, match=why):
        data.events(*arguments)


def test_own_labels_and_shapes_that_make_no_sense():
    with pytest.raises(data.DataError, match=r"labels has the shape \(1,\).*2 recordings"):
        data.events([[1.0], []], [[0], []], labels=[3])
    with pytest.raises(data.DataError, match=r"shape: \(2, 3\) has 6 channels, but channel 6"):
        data.events([[1.0]], [[6]], shape=(2, 3))
    empty = data.events([], [])
    assert len(empty) == 0 and empty.padded().times.shape == (0, 0) and empty.size == 0
    assert data.events([np.float32([1, 2])], [np.uint8([3, 4])]).times.dtype == np.float32
    assert data.events([np.array([2, 1])], [[3, 4]]).times.tolist() == [1.0, 2.0]


BIG = np.array([16_777_217, 16_777_219, 1_700_000_000_000_001])  # not all in float32


@pytest.mark.parametrize(
    "rows, kind",
    [
        ([BIG, BIG[::-1]], np.float64),
        ([BIG.astype(np.uint64)], np.float64),
        ([np.float32([1.5]), BIG], np.float64),
        ([np.float16([1.5]), np.array([3000, 70_000])], np.float64),
        ([np.float32([1.5]), np.float16([2.5])], np.float64),
        ([[], np.float32([1.5])], np.float32),  # what is empty has no type
        ([np.float16([2.5, 1.5])], np.float16),
        ([[], BIG.tolist(), [0.5]], np.float64),
    ],
)
def test_own_times_of_mixed_types_keep_every_time(rows, kind):
    made = data.events(rows, [np.zeros(len(row), np.uint64) for row in rows], shape=np.int64(1))
    assert made.times.dtype == kind and made.shape == (1,)
    for row, (times, _) in zip(rows, made, strict=True):
        np.testing.assert_array_equal(times, np.sort(np.asarray(row, float)))


def test_own_ticks_that_no_float_holds_are_refused():
    late = 2**53 + np.arange(2)
    with pytest.raises(data.DataError, match=r"times\[1\]: of 2 different times 1 become one"):
        data.events([[1], late], [[0], [0, 0]])
    with pytest.raises(data.DataError, match=r"times must be real numbers, got bool"):
        data.events([[1.0], [True]], [[0], [0]])
    with pytest.raises(data.DataError, match="shape must be at least 0, got -1.*whole grid"):
        data.events([[1.0]], [[0]], shape=(2, -1))


def test_own_events_drive_a_network():
    own = data.events([[2.0, 4.0], [3.0]], [[1, 0], [1]])
    padded = own.padded()
    for row in range(2):
        train = bpc.SpikeTrain(padded.times[row], padded.neurons[row], own.size)
        first = bpc.encode.first_spike(bpc.Spikes(train.times, train.neurons), own.size)
        np.testing.assert_array_equal(first, [[4.0, 2.0], [np.inf, 3.0]][row])


# N-MNIST


def as_bytes(times, x, y, polarity):
    """Five bytes an event, written bit by bit as the publisher describes them."""
    rows = [
        (a, b, *((p << 23) | t).to_bytes(3, "big"))
        for t, a, b, p in zip(times, x, y, polarity, strict=True)
    ]
    return bytes(byte for row in rows for byte in row)


camera = st.lists(
    st.tuples(st.integers(0, 2**23 - 1), st.integers(0, 33), st.integers(0, 33), st.integers(0, 1)),
    max_size=30,
)


@given(recording=camera)
@settings(max_examples=100, deadline=None)
def test_bytes_of_the_camera_are_read(recording):
    recording = sorted(recording, key=lambda event: event[0])
    columns = [list(column) for column in zip(*recording, strict=True)] or [[], [], [], []]
    times, channels = read_events(as_bytes(*columns))
    np.testing.assert_array_equal(times, columns[0])
    polarity, y, x = np.unravel_index(channels, (2, 34, 34))
    np.testing.assert_array_equal([x, y, polarity], columns[1:])


def test_bytes_that_are_none_of_the_camera():
    with pytest.raises(data.DataError, match="7.bin is cut short: 7 bytes"):
        read_events(bytes(7), "7.bin")
    with pytest.raises(data.DataError, match="7.bin has events outside"):
        read_events(as_bytes([1], [34], [0], [0]), "7.bin")


def recordings(count, seed):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        n = rng.integers(0, 50)
        times = np.sort(rng.integers(0, 300_000, n)).tolist()
        yield as_bytes(times, *(rng.integers(0, end, n).tolist() for end in (34, 34, 2)))


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_both_packings_give_the_same_events(tmp_path):
    """The publisher's: a zip a split, a folder a label; and one zip with a list of labels."""
    folder = tmp_path / "files"
    folder.mkdir()
    numbers = {"train": 12, "test": 3}
    members, rows, files = {}, [], []
    for seed, (split, count) in enumerate(numbers.items()):
        result = list(recordings(count, seed))
        labels = [(7 * k + seed) % 10 for k in range(count)]
        of_split = {
            f"{split.title()}/{labels[k]}/{k + 1:05d}.bin": result[k]
            for k in reversed(range(count))
        }
        write_zip(folder / f"{split.title()}.zip", of_split)
        files.append(File(f"{split.title()}.zip", md5(folder / f"{split.title()}.zip"), how=md5))
        members |= {f"{split}/{k + 1:05d}.bin": result[k] for k in range(count)}
        rows += [(f"{split}/{k + 1:05d}.bin", labels[k]) for k in range(count)]
    text = io.StringIO()
    csv.writer(text).writerows([("file", "label"), *rows])
    write_zip(folder / "part.zip", members | {"labels.csv": text.getvalue()})
    official = EventFiles(
        "official",
        tuple(files),
        ("nmnist",),
        {"train": ("Train.zip", labels_by_folder), "test": ("Test.zip", labels_by_folder)},
    )
    part = EventFiles(
        "part",
        (File("part.zip", sha256(folder / "part.zip")),),
        ("nmnist",),
        {split: ("part.zip", labels_by_list) for split in numbers},
    )
    for split in ("train", "test", "all"):
        one = load_set([official], split, folder, cache_dir=tmp_path / "cache")
        two = load_set([part], split, folder, cache_dir=tmp_path / "cache")
        assert len(one) == {"train": 12, "test": 3, "all": 15}[split]
        for a, b in ((one.times, two.times), (one.channels, two.channels)):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(one.labels, two.labels)
        np.testing.assert_array_equal(one.offsets, two.offsets)
    times, channels = read_events(members["train/00003.bin"])
    one = load_set([official, part], "train", folder, cache_dir=tmp_path / "cache")
    np.testing.assert_allclose(one[2][0], times / 1000, rtol=1e-7)
    np.testing.assert_array_equal(one[2][1], channels)
    assert one.labels[2] == (7 * 2) % 10
    (folder / "Train.zip").unlink()
    (folder / "Test.zip").unlink()  # now the part is what the folder has
    two = load_set([official, part], "train", folder, cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(one.times, two.times)


# Spoken digits


def as_wav(samples, rate=8000, channels=1):
    raw = io.BytesIO()
    with wave.open(raw, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return raw.getvalue()


def test_sound_is_read_and_split_by_the_official_rule(tmp_path):
    rng = np.random.default_rng(0)
    sounds = {
        (digit, speaker, index): rng.integers(-(2**15), 2**15, rng.integers(1, 300))
        for digit in (0, 9)
        for speaker in ("ada", "bob")
        for index in (0, 4, 5, 11)
    }
    names = {key: f"recordings/{key[0]}_{key[1]}_{key[2]}.wav" for key in sounds}
    write_zip(tmp_path / "a.zip", {names[k]: as_wav(s) for k, s in sounds.items()})
    repacked = {f"of-a-commit/{names[k]}": as_wav(s) for k, s in reversed(sounds.items())}
    write_zip(tmp_path / "b.zip", repacked | {"of-a-commit/README.md": b"", "x/y.wav": b"else"})
    total = sum_of_members(tmp_path / "a.zip")
    for file in ("a.zip", "b.zip"):  # the same sounds, packed otherwise
        digits = SpokenDigits("tiny", (File(file, total, how=sum_of_members),), (), ("ada", "bob"))
        for split, indices in (("test", (0, 4)), ("train", (5, 11))):
            got = load_set([digits], split, tmp_path, cache_dir=tmp_path / "cache" / file)
            keys = sorted(key for key in sounds if key[2] in indices)
            assert len(got) == len(keys) == 8 and got.rate == 8000.0
            np.testing.assert_array_equal(got.labels, [key[0] for key in keys])
            assert [got.names[i] for i in got.speakers] == [key[1] for key in keys]
            padded = got.padded()
            for k, key in enumerate(keys):
                np.testing.assert_array_equal(got[k], np.float32(sounds[key] / 2**15))
                np.testing.assert_array_equal(padded[k, : len(got[k])], got[k])
                assert (padded[k, len(got[k]) :] == 0).all()
            np.testing.assert_array_equal(got[3:5].padded(300)[1], got.padded(300)[4])
            with pytest.raises(data.DataError, match="room: recording .* samples, but room is 1"):
                got.padded(1)
    write_zip(tmp_path / "b.zip", repacked | {f"of-a-commit/{names[9, 'bob', 4]}": as_wav([1])})
    with pytest.raises(data.DataError, match="b.zip .*sum_of_members"):
        digits.files[0].check(tmp_path / "b.zip")
    (tmp_path / "b.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:-9])
    with pytest.raises(data.DataError, match="b.zip is damaged or no zip file"):
        digits.files[0].check(tmp_path / "b.zip")


@pytest.mark.parametrize(
    "raw, why",
    [
        (as_wav([1, 2], rate=44100), "1 channels of 16 bits at 44100 Hz, not 1 of 16 at 8000"),
        (as_wav([1, 2], channels=2), "2 channels of 16 bits"),
        (as_wav([1, 2, 3])[:-2], "cut short"),
        (as_wav([1])[:20], "no wav file"),
        (b"RIFF", "no wav file"),
        (b"", "no wav file"),
    ],
    ids=range(6),
)
def test_sound_of_another_kind(raw, why):
    with pytest.raises(data.DataError, match=f"data_dir: 3.wav .*{why}"):
        read_wav(raw, "3.wav")


# The real ones


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The data sets' folder and a cache, or a skip with its reason."""
    root = Path(os.environ.get("BPCJAX_DATA", ROOT.parent / "shared" / "data"))
    if not ((root / "nmnist_small").is_dir() and (root / "fsdd").is_dir()):
        pytest.skip(f"no nmnist_small and fsdd in {root}; set BPCJAX_DATA to the folder of both")
    return root, tmp_path_factory.mktemp("cache")


def test_a_part_of_nmnist(real):
    folder, cache = real
    train, test = (data.load("nmnist", s, folder, cache_dir=cache) for s in ("train", "test"))
    # The labels of MNIST's first 1,000 training and 100 test images.
    expected = [97, 116, 99, 93, 105, 92, 94, 117, 87, 100]
    np.testing.assert_array_equal(np.bincount(train.labels), expected)
    np.testing.assert_array_equal(np.bincount(test.labels), [8, 14, 8, 11, 14, 7, 10, 15, 2, 11])
    # What the publishers and those who use it say: some 4,000 events in about 310 ms, 34 x 34.
    assert 1000 < train.counts.min() and 3500 < train.counts.mean() < 4500
    assert 300 < train.times.max() < 340 and train.times.dtype == np.float32
    for i in range(0, 1000, 97):
        assert (np.diff(train[i][0]) >= 0).all()
    polarity, y, x = np.unravel_index(train.channels, train.shape)
    assert abs(polarity.mean() - 0.5) < 0.01 and x.max() == y.max() == 33
    padded = train[:20].between(0.0, 100.0).padded()
    assert padded.ok.all() and padded.times.shape[0] == 20


@pytest.mark.slow
def test_spoken_digits_and_their_spikes(real):
    folder, cache = real
    test = data.load("spoken_digits", "test", folder, cache_dir=cache)
    assert len(test) == 300 and test.names[0] == "george" and test.rate == 8000.0
    np.testing.assert_array_equal(np.bincount(test.labels), 30)  # 6 speakers, 5 each
    np.testing.assert_array_equal(np.bincount(test.speakers), 50)
    train = data.load("spoken_digits", "train", folder, cache_dir=cache)
    assert len(train) == 2700
    lengths = np.diff(np.concatenate([train.offsets, test.offsets[1:] + train.offsets[-1]]))
    # The set's description: 0.14 s to 2.28 s, mean 0.44 s.
    np.testing.assert_allclose(
        [lengths.min() / 8000, lengths.max() / 8000, lengths.mean() / 8000],
        [0.14, 2.28, 0.44],
        atol=0.006,
    )
    heard = bpc.encode.cochlea(test[0], test.rate)
    level = jnp.log1p(heard / 1e-3)
    ts = jnp.arange(len(heard)) + 0.5
    spikes = bpc.encode.delta(ts, level, 0.5)
    assert spikes.ok and spikes.count > 500
    back = bpc.encode.staircase(spikes, ts, level[0], 0.5)
    assert jnp.abs(back - level).max() < 0.5 + 1e-5
