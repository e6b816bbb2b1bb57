"""What does it cost to know all the time where in a recording one is?

The memories are places of recordings: square roots of counts of events in windows, averaged over a
few frames. A stream plays such recordings in loops, with events lost, moved and added, and jumps to
any place of any recording by a hazard. Each frame is to be named, by:

- attention, argmax: each frame anew; as good as any decision that knows this frame only, if noise
  is Gaussian;
- delta-argmax: the same, its P scores updated by the entries that changed;
- sequential recall: each frame anew, refuted places falling silent;
- exact filter: the hidden Markov model that the stream is taken for, all places at each frame;
- beam search: that filter for places that are not refuted, each taking the whole frame;
- stream (`bpcjax.models.stream_recall`): the same by changes, with restarts at surprises;
- stream, no order: it is not told which place follows which.

Thresholds, theta, standard deviations, the probability to stay and the bound of surprise are chosen
on streams of other recordings (`choice.py`): the cheapest that surely lose less than half a point
of accuracy against argmax. The hazard is told. Then the same settings, but for what is swept, over
hazards, thresholds and white noise on top. Energies are those of a frame; every method's memory
holds the patterns once.

    python -m experiments.stream                          # recordings of random rates
    python -m experiments.stream --events-dir FOLDER      # and N-MNIST, spoken digits
    python -m experiments.stream --quick
"""

import dataclasses
import functools

import numpy as np
import xarray as xr

from ..common import study
from ..common.operations import PRICES
from ..common.stacking import stack
from ..common.study import Parts, setting
from .choice import Calibration, calibrate
from .methods import BEAM, DELTA, METHODS, SEQUENTIAL, STREAM, Rules, Task, Work, ask, prices
from .recordings import SOURCES
from .report import MEASURES, summary
from .streams import Noise, Places, draw, places, scores_of

SWEPT = "attention", "argmax", DELTA, SEQUENTIAL, BEAM, STREAM
BY_THRESHOLD = "argmax", DELTA, STREAM
LISTS = [name for price in PRICES for name in (price, f"{price}+memory")]


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """Recognition of places in recordings."""

    events_dir: str | None = None
    """The folder of N-MNIST and spoken digits; without it they are left out."""
    recordings: int = setting(40, least=2, quick=12)
    """Recordings that are stored, of each set."""
    dwell: int = setting(4, least=1)
    """Frames of a place."""
    streams: int = setting(12, least=1, quick=2)
    """Streams of each seed."""
    frames: int = setting(250, least=10, quick=80)
    """Frames of a stream."""
    hazard: float = setting(0.02, above=0, most=1)
    """Probability of a jump at a frame."""
    hazards: tuple[float, ...] = setting((0.005, 0.08, 0.3), above=0, most=1, quick=(0.3,))
    """Other hazards."""
    thresholds: tuple[float, ...] = setting((0.0, 0.2, 0.4, 0.8), least=0, quick=(0.0, 0.4))
    """Changes that are not sent, in square roots of events."""
    whites: tuple[float, ...] = setting((0.5, 1.0), above=0, quick=(0.5,))
    """Standard deviations of white noise on top of frames."""
    seeds: int = setting(5, least=1, quick=1)
    """Recordings and streams drawn."""

    @property
    def sets(self) -> list[str]:
        """The recordings there are."""
        return [n for n, s in SOURCES.items() if self.events_dir or not s.needs_files]

    @property
    def conditions(self) -> list[tuple[str, float]]:
        """What is varied, and its value; the first varies nothing."""
        return [
            ("hazard", self.hazard),
            *(("hazard", hazard) for hazard in self.hazards),
            *(("threshold", threshold) for threshold in self.thresholds),
            *(("white", white) for white in self.whites),
        ]


def stored(config: Config, name: str, rng: np.random.Generator) -> Places:
    """Places of recordings of a set."""
    source = SOURCES[name]
    counts = source.draw(config.events_dir, config.recordings, rng)
    return places(counts, config.dwell, source.windows, Noise().deletion)


def settle(config: Config, name: str) -> dict[str, np.ndarray]:
    """The calibration of a set, on recordings of its own."""
    rng = np.random.default_rng([1000, list(SOURCES).index(name)])
    here = stored(config, name, rng)
    y, path, _ = draw(here, Noise(), config.hazard, config.streams, config.frames, rng)
    task = Task(here, y, config.hazard)
    found = calibrate(task, path, config.thresholds, config.whites, rng)
    return {field: np.asarray(value) for field, value in found._asdict().items()}


def measured(config: Config, name: str, seed: int, found: Calibration) -> dict[str, np.ndarray]:
    """Shares of right frames and energies of one draw: arrays [condition, method, ...]."""
    rng = np.random.default_rng([seed, list(SOURCES).index(name)])
    here = stored(config, name, rng)
    base = Rules(*map(float, found.rules))
    right = np.full((len(config.conditions), len(METHODS), config.streams, len(MEASURES)), np.nan)
    energy = np.full((*right.shape[:2], len(LISTS)), np.nan)
    works, jumped = [], []
    for k, (kind, value) in enumerate(config.conditions):
        hazard = value if kind == "hazard" else config.hazard
        noise = Noise(white=value) if kind == "white" else Noise()
        y, path, jumps = draw(here, noise, hazard, config.streams, config.frames, rng)
        rules, only = base, METHODS if k == 0 else SWEPT
        if kind == "threshold":
            far = float(found.by_threshold[config.thresholds.index(value)])
            rules = base._replace(threshold=value, delta_threshold=value, surprise=far)
            only = BY_THRESHOLD
        if kind == "white":
            far = float(found.by_white[config.whites.index(value)])
            more = {n: float(np.hypot(getattr(base, n), value)) for n in
                    ("sigma", "sequential_sigma")}  # fmt: skip
            rules = base._replace(surprise=far, **more)
        rows, work = ask(Task(here, y, hazard), rules, only)
        for method, row in rows.items():
            m = METHODS.index(method)
            right[k, m] = scores_of(here, path, row.decision)
            energy[k, m] = prices(here, row.counts)
        works.append(work)
        jumped.append(jumps.mean())
    columns = {f: np.array([getattr(w, f) for w in works], float) for f in Work._fields}
    size = {"places": len(here.patterns), "entries": here.patterns.shape[1]}
    return {"right": right, "energy": energy, "jumps": np.array(jumped), **columns,
            **{n: np.asarray(v) for n, v in size.items()}}  # fmt: skip


def run(config: Config, parts: Parts) -> xr.Dataset:
    """Shares of right frames and energies of every method, by set, seed and condition."""
    settings, results = {}, {}
    for k, name in enumerate(config.sets):
        kept = parts(f"{name}, settings", functools.partial(settle, config, name))
        settings[k] = kept["rules"]
        found = Calibration(**kept)
        for seed in range(config.seeds):
            make = functools.partial(measured, config, name, seed, found)
            results[k, seed] = parts(f"{name}, seed {seed}", make)
    dims = {
        "right": ("condition", "model", "stream", "measure"),
        "energy": ("condition", "model", "price"),
        "places": (), "entries": (),
    }  # fmt: skip
    data = {
        name: (("set", "seed", *dims.get(name, ("condition",))), values)
        for name, values in stack(results, (len(config.sets), config.seeds)).items()
    }
    data["rules"] = (("set", "rule"), np.array([settings[k] for k in range(len(config.sets))]))
    kinds, values = zip(*config.conditions, strict=True)
    coords = {
        "set": config.sets, "model": list(METHODS), "measure": list(MEASURES), "price": LISTS,
        "rule": list(Rules._fields), "kind": ("condition", list(kinds)),
        "value": ("condition", list(values)),
    }  # fmt: skip
    return xr.Dataset(data, coords=coords, attrs={"hazard": config.hazard})


STUDY = study.Study("stream", Config, run, summary, double=False)
