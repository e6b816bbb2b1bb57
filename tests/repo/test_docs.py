"""README and docs: every example runs by itself and prints what stands under it; every link,
picture and command leads somewhere; the numbers of studies are those of their saved runs."""

import contextlib
import importlib.util
import io
import json
import re
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
GALLERY = ROOT / "figures" / "gallery"

BLOCK = re.compile(
    r"```python\n(?P<code>.*?)```"
    r"(?:\n+```text\n(?P<printed>.*?)```)?",  # what it prints
    flags=re.DOTALL,
)
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?")


class Block(NamedTuple):
    name: str  # its page and line
    code: str
    printed: str | None


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            f"{name_of(page)}:{text[: m.start('code')].count(chr(10)) + 1}",
            m["code"], m["printed"],
        )
        for m in BLOCK.finditer(text)
    ]  # fmt: skip


BLOCKS = [block for page in PAGES for block in blocks(page)]


# What an example claims beyond what it prints, by a name that it alone defines.
def quadratic(scope):
    """Quadratic IF from -peak to peak: T = tau (2 / sqrt(I)) atan(peak / sqrt(I))."""
    drives = np.linspace(0.1, 2.0, 5)
    period = 10 * 2 / np.sqrt(drives) * np.arctan(10 / np.sqrt(drives))
    counts = jax.vmap(scope["spikes_in_a_second"])(jnp.asarray(drives))
    np.testing.assert_array_equal(counts, np.floor(1000 / period))


def below_threshold(scope):
    assert scope["below_threshold"].ys.v.max() <= -50.0 + 1e-5  # the threshold of LIF, float32


def whole_table(scope):
    assert scope["table"].ok.all() and scope["table"].spikes.dims == ("current", "b")


def events_arrive(scope):
    assert scope["v"].shape == (3, 6) and scope["ok"].all()


def recalls(scope):
    assert int(scope["recalled"]) == int(scope["energy"].posterior(scope["query"]).argmax()) == 3


def classifies(scope):
    assert scope["correct"].size == 397 and scope["correct"].sum() > 330  # logistic regression: 370


def learns_times(scope):
    times = scope["first_spikes"](scope["trained"])
    np.testing.assert_allclose(times, scope["target"], atol=0.05)


def never_rises(scope):
    assert (np.diff(scope["descent"].energy) < 1e-5).all()


CLAIMS = {
    "def spikes_in_a_second": quadratic,
    "below_threshold = ": below_threshold,
    "table = bpc.sweep": whole_table,
    "v, ok = ": events_arrive,
    "recalled = ": recalls,
    "correct = ": classifies,
    "def first_spikes": learns_times,
    "descent = ": never_rises,
}


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A folder of its own and JAX as it is when Python starts, single precision among it."""
    monkeypatch.chdir(tmp_path)
    double = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    plt.switch_backend("Agg")
    with jax.numpy_rank_promotion("allow"):
        yield
    plt.close("all")
    jax.config.update("jax_enable_x64", double)


def check_printed(expected: str, printed: str) -> None:
    """The same words, and numbers within a unit of the last digit shown or 0.2 %."""
    assert NUMBER.sub("", expected).split() == NUMBER.sub("", printed).split(), printed
    for shown, new in zip(NUMBER.findall(expected), NUMBER.findall(printed), strict=True):
        mantissa, _, exponent = shown.partition("e")
        digits = len(mantissa.partition(".")[2])
        unit = 10.0 ** (int(exponent or 0) - digits)
        assert float(new) == pytest.approx(float(shown), rel=2e-3, abs=unit), printed


@pytest.mark.slow  # each compiles for seconds
@pytest.mark.parametrize(
    "block",
    [pytest.param(b, id=b.name) for b in BLOCKS],
)
def test_an_example_runs_by_itself_and_prints_what_is_shown(block, fresh):
    scope = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(block.code, block.name, "exec"), scope)
    if block.printed is not None:
        check_printed(block.printed, out.getvalue())
    for mark, claim in CLAIMS.items():
        if mark in block.code:
            claim(scope)


@pytest.mark.parametrize("mark", CLAIMS)
def test_a_claim_belongs_to_one_example(mark):
    assert sum(mark in block.code for block in BLOCKS) == 1


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.name)
def test_an_example_imports_from_the_faces_only(block):
    modules = re.findall(r"^\s*(?:from|import) (bpcjax[\w.]*)", block.code, flags=re.MULTILINE)
    deep = [m for m in modules if m.count(".") > 1]
    assert not deep and not re.search(r"from bpcjax\._|import _", block.code)


def slug(heading: str) -> str:
    """The anchor of a heading, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", prose(file), flags=re.MULTILINE)
            assert anchor in map(slug, headings), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_test_files_exist(page):
    text = page.read_text()
    for module in re.findall(r"python -m ([\w.]+)", text):
        if not module.endswith("NAME"):
            assert importlib.util.find_spec(module), module
    for path in re.findall(r"tests/[\w/]+\.py", text):
        assert (ROOT / path).is_file(), path


def test_every_page_is_reached_from_the_readme():
    reached, todo = set(), [README]
    while todo:
        page = todo.pop()
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+\.md)", prose(page))
        new = {(page.parent / link).resolve() for link in links if "://" not in link}
        todo += [page for page in new - reached if page in PAGES]
    assert reached == set(PAGES)


TABLE = re.compile(r"^\| `(\w+)\.json` \|.*\n\|[-| ]*\n((?:\|.*\n)+)", flags=re.MULTILINE)
RECORDED = [
    pytest.param(name, key.strip(), value.strip(), id=f"{name}-{key.strip()}")
    for page in PAGES
    for name, rows in TABLE.findall(page.read_text())
    for key, value in re.findall(r"^\| (.*?) \| (.*?) \|", rows, flags=re.MULTILINE)
]


@pytest.mark.parametrize("name, key, value", RECORDED)
def test_a_number_of_a_study_is_that_of_its_saved_run(name, key, value):
    saved = json.loads((GALLERY / f"{name}.json").read_text())["metrics"][key]
    digits = len(value.partition(".")[2])
    assert float(value.replace(",", "")) == pytest.approx(saved, abs=0.501 * 10.0**-digits)


def test_the_numbers_of_studies_are_read():
    assert len(RECORDED) > 30 and len(BLOCKS) >= 20


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 160


def test_both_commands_stand_in_the_readme_and_the_second_in_ci():
    commands = re.findall(r"```bash\n(.*?)\n```", README.read_text())
    assert len(commands) == 2
    assert commands[0].endswith("python -m experiments.recall")
    script = (README.parent / ".ci" / "run").read_text()
    assert f"\n{commands[1]}\n" in script
