import os
from pathlib import Path

import jax
import pytest
from hypothesis import is_hypothesis_test, settings

# The folders in the order of the run: what all the rest stands on comes first.
FOLDERS = "engine neurons energies learning models analysis sweep data plot theory studies repo"
ORDER = {name: place for place, name in enumerate(FOLDERS.split())}

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")

# Programs are compiled once for all workers, runs, and programs that tests start.
for name, value in {
    "jax_compilation_cache_dir": str(Path(__file__).parents[1] / ".pytest_cache" / "jax"),
    "jax_persistent_cache_min_compile_time_secs": 0.2,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}.items():
    if name.upper() not in os.environ:
        os.environ[name.upper()] = str(value)
        jax.config.update(name, value)

settings.register_profile("same", derandomize=True)  # the same examples in every run
settings.register_profile("search", print_blob=True)  # others each time: keep a find as @example


def _is_search(config):
    return config.option.markexpr == "slow"


def pytest_configure(config):
    """The slow tier by itself searches for examples, other runs do not depend on chance."""
    settings.load_profile("search" if _is_search(config) else "same")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """The engine comes first; every test of examples is in the slow tier too, which searches."""
    items.sort(key=lambda item: ORDER.get(item.path.parent.name, len(ORDER)))
    for item in items:
        if _is_search(config) and is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("slow")


@pytest.fixture
def getkey():
    """A function that gives a fresh key at each call, the same ones in every run."""
    count = 0

    def get():
        nonlocal count
        count += 1
        return jax.random.key(count)

    return get


@pytest.fixture(scope="module", autouse=True)
def few_programs():
    """Drop compiled programs after a file where a process holds very many.

    Each maps memory in some places, Linux limits their number, and XLA dies at the next.
    """
    yield
    maps, limit = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
    if maps.exists() and limit.exists():
        if 2 * maps.read_bytes().count(b"\n") > int(limit.read_text()):
            jax.clear_caches()
