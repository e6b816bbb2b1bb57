"""Spoken digits: the Free Spoken Digit Dataset (Jackson et al.)."""

import io
import wave
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float32, Integer

from .dataset import AbstractDataSet
from .files import AGAIN, DataError, File, is_recording, sum_of_members
from .ragged import offsets_of, taken

RATE = 8000.0  # Hz
TEST_INDICES = 5  # of the fifty recordings of a digit by a speaker the first are the test set


class Recordings(eqx.Module):
    """Sound recordings one after another: number `i` is `samples[offsets[i]:offsets[i + 1]]`, in
    -1..1.

    `rate` is in Hz; `labels` are the digits, `speakers` index into `names`. `sound[i]` is one
    recording's samples; `sound[2:5]` and `sound[[3, 1]]` are `Recordings` of some.
    """

    samples: Float32[np.ndarray, " total"]
    offsets: Integer[np.ndarray, " ends"]
    labels: Integer[np.ndarray, " n"]
    speakers: Integer[np.ndarray, " n"]
    rate: float = eqx.field(static=True)  # Hz
    names: tuple[str, ...] = eqx.field(static=True)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            return self.samples[self.offsets[:-1][index] : self.offsets[1:][index]]
        place, offsets = taken(self.offsets, index)
        labels, speakers = self.labels[index], self.speakers[index]
        return Recordings(self.samples[place], offsets, labels, speakers, self.rate, self.names)

    def padded(self, room: int | None = None) -> Float32[np.ndarray, "n room"]:
        """Samples [n, room] with silence (0) after each; `room` defaults to the longest.

        **Raises:** `DataError` if a recording is longer than `room`.
        """
        lengths = np.diff(self.offsets)
        longest = int(lengths.max(initial=0))
        room = longest if room is None else room
        if longest > room:
            raise DataError(
                f"room: recording {lengths.argmax()} has {longest} samples, but room is {room}. "
                f"Pass room={longest}, or leave it out."
            )
        samples = np.zeros((len(self), room), np.float32)
        samples[np.arange(room) < lengths[:, None]] = self.samples
        return samples


def read_wav(raw: bytes, name: str = "the recording") -> np.ndarray:
    """Read a wav file: the samples (int16) of its bytes, one channel, 16 bits, `RATE`.

    **Raises:** `DataError` naming the recording if it is anything else.
    """
    try:
        with wave.open(io.BytesIO(raw)) as file:
            kind = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            count, data = file.getnframes(), file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise DataError(f"data_dir: {name} is no wav file ({error}). {AGAIN}") from error
    if kind != (1, 16, RATE):
        raise DataError(
            f"data_dir: {name} has {kind[0]} channels of {kind[1]} bits at {kind[2]} Hz, not 1 of "
            f"16 at {RATE:.0f}. {AGAIN}"
        )
    if len(data) != 2 * count:
        raise DataError(f"data_dir: {name} is cut short. {AGAIN}")
    return np.frombuffer(data, "<i2").astype(np.int16)


@dataclass(frozen=True)
class SpokenDigits(AbstractDataSet):
    """Spoken digits: wav files `DIGIT_SPEAKER_INDEX.wav` in one zip file, in any folder of it."""

    name: str
    files: tuple[File, ...]
    folders: tuple[str, ...]
    speakers: tuple[str, ...]
    ragged: tuple[str, ...] = ("samples",)

    def features(self, tfds: Any) -> dict[str, Any]:
        """Rows of unequal length, and their label."""
        ragged = tfds.features.Tensor(shape=(None,), dtype=np.int16, encoding="zlib")
        return {"samples": ragged, "label": np.int64, "speaker": np.int64}

    def examples(self, paths: dict[str, Path], split: str) -> Iterator[dict[str, Any]]:
        """Every recording of the split, by digit, speaker and index."""
        path = paths[self.files[0].name]
        with zipfile.ZipFile(path) as archive:
            recordings = []
            for name in filter(is_recording, archive.namelist()):
                digit, speaker, index = name.rsplit("/")[-1][:-4].split("_")
                if (int(index) < TEST_INDICES) == (split == "test"):
                    recordings.append((int(digit), self.speakers.index(speaker), int(index), name))
            for digit, speaker, _, name in sorted(recordings):
                samples = read_wav(archive.read(name), f"{name} in {path}")
                yield {"samples": samples, "label": digit, "speaker": speaker}

    def result(self, arrays: dict[str, np.ndarray]) -> Recordings:
        """Recordings with samples over their full scale, 2^15."""
        samples = arrays["samples"].astype(np.float32) / np.float32(2**15)
        offsets = offsets_of(arrays["lengths"])
        label, speaker = arrays["label"], arrays["speaker"]
        return Recordings(samples, offsets, label, speaker, RATE, self.speakers)


SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
# The set at one commit; the sum is of the 3,000 recordings, however they are packed.
SPOKEN_DIGITS = SpokenDigits(
    "spoken_digits",
    (
        File(
            "fsdd_recordings.zip",
            "dbd573d7cafe79c4b49f65718115e1304e24e067fa39eff18a660dc6cb9c360f",
            "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/"
            "26eb9aaf76e81b692f806f9140c2d2777410d7a1.zip",
            sum_of_members,
        ),
    ),
    ("fsdd", "spoken_digits"),
    SPEAKERS,
)
