import pytest


@pytest.fixture(autouse=True)
def doors_are_reached(request):
    """Where the run checks types itself, hostile arguments do not come as far as the doors."""
    if request.config.getoption("--jaxtyping-packages", None):
        pytest.skip("types are checked before the doors")
