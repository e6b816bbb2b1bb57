import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def getkey():
    """A function that gives a fresh key at each call, the same ones in every run."""
    count = 0

    def get():
        nonlocal count
        count += 1
        return jax.random.key(count)

    return get
