"""What does a memory that decides early cost, beside those that look at everything?

Sequential recall (`bpcjax.models.sequential_recall`) takes the entries of a query one after
another; memories that the evidence has refuted fall silent, and the last one is the answer. Beside
it, on the same queries: argmax that skips zeros, attention (one step; batches of 1, 16, 64),
entmax, draws of the spiking memory, partial-distance search (exact; it may begin with the right
candidate, for free), and BanditMIPS (in random order, and in the same order by variance).

Memories are images (digits, standardised; MNIST and Fashion-MNIST, pixels from 0 to 1), points of a
sphere, and rasters or pixels as Poisson counts. Queries have Gaussian noise, or a lower part is
missing, which is known or not (then it is sent as the mean image; noise .25 is assumed), or the
assumed noise is wrong by 2: methods are then made for the noise that they assume.

theta, the block of entries between tests, their order, and a lead are chosen on five other draws of
memories and queries (two where there are 10,000): the cheapest (geometric mean of four price lists)
whose accuracy is within .0025 of argmax; so are the scales of the bandits. The certified rows have
theta = ln((P - 1) / .01), so that the true memory is silenced in at most 1 % of queries, whatever
else was chosen.

Prices are of `bpcjax.cost`, fp32 and int8, each without and with the traffic of weights and states.
A memory pays at each test for the stored term of the block, for the largest evidence, which is
broadcast, and for theta. In a batch attention reads weights once; the memory that decides early is
charged for each query by itself.

    python -m experiments.sequential --data-dir FOLDER     # results/sequential.zarr and a picture
    python -m experiments.sequential --quick               # digits only
"""

import dataclasses
from functools import cache, partial

import jax
import numpy as np
import xarray as xr

from bpcjax import cost

from ..common import study
from ..common.study import Parts, setting
from . import laws as laws, scaling as scaling, values as values
from .choices import choose
from .methods import ERROR, MODELS, PRICES, Choice, Prices, answers, swept
from .report import summary, text
from .tasks import COUNTS, Case, Deletion, Exposure, Mask, Noise, source

THETAS = 3.0, 4.0, 5.0, 7.0, 9.5  # of the line of accuracy against energy
OPERATIONS = tuple(field.name for field in dataclasses.fields(cost.Counts))
VALIDATION = 5  # draws of memories and queries
SETS = "digits", "mnist", "fashion_mnist", "sphere", "rasters", COUNTS
LARGE = 10_000  # memories: fewer seeds and queries
CROSS = (200, 256), (1000, 256), (10_000, 256), (1000, 64), (1000, 1024)  # P and N


@dataclasses.dataclass(frozen=True)
class Config(study.Config):
    """A memory that decides early, beside attention, argmax and searches."""

    sets: tuple[str, ...] = setting(SETS, among=SETS, quick=("digits",))
    """Which memories: digits, mnist, fashion_mnist, sphere, rasters, Poisson digits."""
    data_dir: str | None = None
    """The folder of folders called mnist and fashion_mnist; by default $BPCJAX_DATA, or a
    download."""
    noises: tuple[float, ...] = setting((0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0), above=0, quick=(1.5,))
    """Standard deviations of the noise."""
    masks: tuple[float, ...] = setting((0.25, 0.5, 0.75), above=0, below=1, quick=(0.5,))
    """Shares of an image that are missing."""
    queries: int = setting(200, least=2, quick=40)
    """How many, of each case and seed."""
    seeds: int = setting(10, least=2, quick=2)
    """How many draws of memories, queries and noise."""
    most: int = setting(LARGE, least=200, quick=200)
    """No case has more memories than these."""
    seed: int = setting(0, least=0)
    """Of all draws."""


def cases(config: Config) -> list[Case]:
    """Everything that is asked."""
    noises = list(map(Noise, config.noises))
    some = [Noise(level) for level in (0.5, 1.5, 3.0) if level in config.noises]
    gaps = [Mask(level, known) for known in (True, False) for level in config.masks]
    wrong = [(size, Noise(2.0 if size == 200 else 1.5)) for size in (200, 1000)]
    fine, wide, large = (4, 8, 16), (8, 16, 32), (8, 32)
    rows = [
        *(Case("digits", 200, own, fine) for own in (*noises, *gaps)),
        *(Case("digits", 200, wrong[0][1], fine, x) for x in (0.5, 2.0)),
        *(Case("digits", 1000, own, fine) for own in some),
        *(Case("mnist", 200, own, wide) for own in some),
        *(Case("mnist", 1000, own, wide) for own in (*noises, *gaps)),
        *(Case("mnist", 1000, wrong[1][1], wide, x) for x in (0.5, 2.0)),
        *(Case("mnist", LARGE, own, large) for own in some),
        *(Case("fashion_mnist", 1000, own, wide) for own in noises),
        *(Case("fashion_mnist", LARGE, own, large) for own in some[1:2]),
        *(Case("sphere", 200, own, fine) for own in (some or noises)),
        *(Case("sphere", 1000, own, fine) for own in noises),
        *(Case("sphere", LARGE, own, (4, 16)) for own in some),
        *(Case("rasters", 200, own, (32, 128)) for own in map(Deletion, (0.3, 0.6, 0.8))),
        *(Case(COUNTS, 200, own, fine) for own in map(Exposure, (4.0, 1.0, 0.25))),
    ]
    return [row for row in rows if row.data in config.sets and row.patterns <= config.most]


def measured(config: Config, number: int, case: Case) -> dict[str, np.ndarray]:
    """What is chosen for a case, and the answers of all methods to all its queries."""
    images = _source(case.data, config.data_dir)
    few = case.patterns == LARGE
    seeds, queries = (max(2, config.seeds // 3) if few else config.seeds), config.queries
    queries = max(queries // 2, 2) if few else queries
    place = SETS.index(case.data)

    def problem(own: Case, k: int):
        return own.draw(np.random.default_rng([config.seed, place, k]), queries, images)

    rng = np.random.default_rng([config.seed, number])
    blocks = case.blocks[1:2] if config.quick else case.blocks
    known = [problem(case.expected, 1000 + k) for k in range(2 if few else VALIDATION)]
    choice = choose(known, blocks, rng)
    law = laws.share(known[0], choice, rng)
    size = known[0].patterns.shape[::-1]
    prices = Prices(*size)
    del known
    right = np.full((len(MODELS), config.seeds, config.queries), -1, np.int8)
    counts = np.full((len(MODELS), config.seeds, len(OPERATIONS)), np.nan)
    energy = np.full((len(MODELS), config.seeds, len(PRICES)), np.nan)
    silenced = np.full((len(MODELS), config.seeds), np.nan)
    curve = np.full((len(THETAS), config.seeds, 1 + len(PRICES)), np.nan)
    for k in range(seeds):
        own = problem(case, k)
        for name, answer in answers(own, choice, rng).items():
            m = MODELS.index(name)
            right[m, k, :queries] = answer.decision == own.target
            counts[m, k] = [np.mean(getattr(answer.counts, field)) for field in OPERATIONS]
            energy[m, k] = Prices(*size, kernel=name.startswith("draws"))(answer.counts)
            if answer.silenced is not None:
                silenced[m, k] = answer.silenced.mean()
        for t, answer in enumerate(swept(own, choice, THETAS)):
            curve[t, k] = (answer.decision == own.target).mean(), *prices(answer.counts)
    chosen = np.array(choice, float)
    return {
        "right": right, "counts": counts, "energy": energy, "silenced": silenced,
        "choice": np.where(np.isfinite(chosen), chosen, 0.0), "law": np.array(law),
        "law_energy": prices(laws.counts(law * size[0] * size[1], choice.block)),
        "width": np.array(size[0]), "curve": curve,
    }  # fmt: skip


_source = cache(source)


def _extra(config: Config, parts: Parts) -> tuple[dict, dict, dict]:
    """Values by keys, exponents, and speed: on MNIST where it is among the sets."""
    data = "mnist" if "mnist" in config.sets else "digits"
    count = min(1000 if data == "mnist" else 200, config.most)
    value = parts(
        "values",
        lambda: values.measure(
            data, count, (1.5, 3.0), config.seeds, config.queries, config.seed,
            _source(data, config.data_dir),
        ),
    )  # fmt: skip
    points = tuple(p for p in CROSS if p[0] <= config.most) if config.most >= 1000 else (
        (100, 64), (200, 64), (100, 128)
    )  # fmt: skip
    growth = parts("growth", lambda: scaling.exponents(points, 50, config.seed))
    batches = (1, 64, 512) if config.most == LARGE else (1, 16)
    speed = parts(
        "speed",
        lambda: scaling.speed(
            data, config.most if data == "mnist" else count, 1.5, batches,
            (16,) if config.quick else (16, 64), config.seed,
            _source(data, config.data_dir),
        ),
    )  # fmt: skip
    return value, growth, speed


def run(config: Config, parts: Parts) -> xr.Dataset:
    """All cases, then values, growth and speed."""
    every = cases(config)
    tables = [parts(case.name, partial(measured, config, k, case)) for k, case in enumerate(every)]
    value, growth, speed = _extra(config, parts)
    stack = {name: np.stack([table[name] for table in tables]) for name in tables[0]}
    each = "case", "model", "seed"
    nano = {"units": "nJ"}
    return xr.Dataset(
        {
            "right": ((*each, "query"), stack["right"]),
            "counts": ((*each, "operation"), stack["counts"]),
            "energy": ((*each, "price"), stack["energy"], nano),
            "silenced": (each, stack["silenced"]),
            "choice": (("case", "chosen"), stack["choice"]),
            "law": (("case",), stack["law"]),
            "law_energy": (("case", "price"), stack["law_energy"], nano),
            "curve_accuracy": (("case", "theta", "seed"), stack["curve"][..., 0]),
            "curve_energy": (("case", "theta", "seed", "price"), stack["curve"][..., 1:], nano),
            "width": (("case",), stack["width"]),
            "value_error": (("value_noise", "mixture", "seed"), value["error"]),
            "value_apart": (("value_noise", "mixture", "seed"), value["apart"]),
            "value_energy": (("value_noise", "mixture", "seed", "price"), value["energy"], nano),
            "points": (("point", "of"), growth["points"]),
            "macs": (("point",), growth["macs"]),
            "exponents": (("of",), growth["exponents"]),
            "exponent_errors": (("of",), growth["exponent_errors"]),
            "seconds": (("batch", "block"), speed["seconds"], {"units": "s"}),
            "plain_seconds": (("batch",), speed["plain_seconds"], {"units": "s"}),
        },
        coords={
            "case": [case.name for case in every], "model": list(MODELS),
            "operation": list(OPERATIONS), "price": list(PRICES), "chosen": list(Choice._fields),
            "theta": list(THETAS),
            "data": ("case", [case.data for case in every]),
            "patterns": ("case", [case.patterns for case in every]),
            "kind": ("case", [type(case.damage).__name__ for case in every]),
            "level": ("case", [float(case.damage.level) for case in every]),
            "assumed": ("case", [case.assumed for case in every]),
            "value_noise": [1.5, 3.0], "mixture": list(values.METHODS), "of": ["P", "N"],
            "batch": speed["batch"], "block": speed["block"],
        },
        attrs={
            "error": ERROR, "processor": jax.default_backend(), "growth_theta": scaling.THETA,
            "growth_noise": scaling.NOISE, "speed_width": int(speed["width"]),
        },
    )  # fmt: skip


STUDY = study.Study("sequential", Config, run, summary, double=False, table=text)
