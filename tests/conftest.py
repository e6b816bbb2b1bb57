import jax
import pytest
from hypothesis import is_hypothesis_test, settings

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")

settings.register_profile("same", derandomize=True)  # the same examples in every run
settings.register_profile("search", print_blob=True)  # others each time: keep a find as @example


def _is_search(config):
    return config.option.markexpr == "slow"


def pytest_configure(config):
    """The slow tier searches for examples, the default run does not depend on chance."""
    settings.load_profile("search" if _is_search(config) else "same")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Every test of examples is in the slow tier too, which searches."""
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
