"""No damage to a file is silent: it is refused by name, or the right numbers come all the same."""

import os
import shutil
import warnings
from collections import Counter

import numpy as np
import pytest

from tests.support.files import KINDS, REFUSALS, expected, remains, same


def flip(content, rng, _):
    place = int(rng.integers(len(content)))
    return (
        content[:place] + bytes([content[place] ^ 1 << int(rng.integers(8))]) + content[place + 1 :]
    )


def truncate(content, rng, _):
    return content[: int(rng.integers(len(content)))]


def append(content, rng, _):
    return content + rng.bytes(int(rng.integers(1, 30)))


def zero(content, rng, _):
    place, size = int(rng.integers(len(content))), int(rng.integers(1, 64))
    return (content[:place] + bytes(size) + content[place + size :])[: len(content)]


def lose(content, rng, _):
    return None


def swap(content, rng, other):
    return other


DAMAGES = flip, truncate, append, zero, lose, swap


def damage(folder, rng) -> str | None:
    """Damage one file, or swap two, of those in a folder, and say how; `None` if that is none."""
    # Texts of settings and metrics are for people: no program reads them.
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".json")
    path, other = (files[int(k)] for k in rng.choice(len(files), 2, replace=False))
    how, content = DAMAGES[int(rng.integers(len(DAMAGES)))], path.read_bytes()
    altered = how(content, rng, other.read_bytes())
    if altered == content:
        return None
    path.unlink()
    if altered is not None:
        path.write_bytes(altered)
    if how is swap:
        other.write_bytes(content)
    return f"{how.__name__} {path.relative_to(folder)} {other.relative_to(folder)}"


def outcome(kind, folder, what) -> str:
    """What comes of a call on what is damaged: fails if it is silent."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            arrays = KINDS[kind](folder)
        except REFUSALS as error:
            assert str(folder) in str(error), (what, error)
            return "refused"
    assert same(arrays, expected(kind)), what
    assert all(str(folder) in str(warning.message) for warning in caught), what
    with warnings.catch_warnings():  # what was made again is whole now
        warnings.simplefilter("error")
        assert same(KINDS[kind](folder), expected(kind)), what
    return "made again" if caught else "right"


def trial(tmp_path, kind, count, seed) -> Counter:
    """The outcomes of so many random damages."""
    rng, whole, outcomes = np.random.default_rng(seed), tmp_path / "whole", Counter()
    KINDS[kind](whole)
    while outcomes.total() < count:
        folder = tmp_path / "damaged"
        shutil.copytree(whole, folder)
        what = damage(folder, rng)
        if what is not None:
            outcomes[what.split()[0], outcome(kind, folder, what)] += 1
            assert not remains(folder)
        shutil.rmtree(folder)
    return outcomes


COUNTS = {"sweep": 25, "parts": 35, "checkpoints": 35, "caches": 35, "saved": 25}


@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_is_silent(tmp_path, kind):
    trial(tmp_path, kind, COUNTS[kind], 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_none_of_two_thousand_damages_is_silent(tmp_path, kind):
    seed = int(os.environ.get("DAMAGE_SEED", "1"))
    for key, count in sorted(trial(tmp_path, kind, 400, seed).items()):
        print(kind, *key, count)
