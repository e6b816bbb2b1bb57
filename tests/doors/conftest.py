"""Where the run checks types itself, hostile arguments do not come as far as the doors."""


def pytest_ignore_collect(collection_path, config):
    """Leave the doors out of such a run; `.ci/run` tries them in one of their own."""
    typed = config.getoption("--jaxtyping-packages", None)
    return True if typed and collection_path.name.startswith("test_") else None
