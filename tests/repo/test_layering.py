"""Which module may import which: the layers of the design, held by a walk over the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "bpcjax"

# Old places of modules, which only say where these are now.
OLD = ("network", "layers", "projection", "wrappers", "descent", "thinned")
# Room of the package (a folder, or a module at its top), from the ground up -> the rooms it may
# import: only such as stand above it in this table.
ALLOWED = {
    "_arrays": set(),
    "_bits": set(),
    "_files": set(),
    "_layout": set(),
    "_instant": set(),
    "_moved": set(),
    "_require": {"_arrays"},
    "spikes": {"_arrays"},
    "system": {"_arrays", "_moved", "_require"},
    "flows": {"system"},
    "views": {"_require", "system"},
    "_fit": {"_require", "system"},
    "energies": {"_arrays", "_moved", "_require", "system"},
    "neurons": {"_moved", "_require", "system"},
    "inputs": {"_arrays", "_instant", "_moved", "_require", "spikes", "system"},
    "networks": {"_arrays", "_bits", "_instant", "_require", "system", "views", "inputs"},
    "connect": {"networks"},
    "synapses": {"networks"},
    "jumps": {"_require", "system", "flows", "views", "networks"},
    "stepping": {
        "_arrays", "_bits", "_instant", "_layout", "_moved", "_require", "spikes", "system",
        "inputs",
    },
    "restart": {"_arrays", "system", "_require", "stepping"},
    "solution": {"spikes", "stepping", "restart"},
    "simulate": {
        "_arrays", "_fit", "system", "views", "_require", "stepping", "restart", "solution",
    },
    "encode": {"_arrays", "_require", "spikes"},
    "cost": {"_moved", "_require"},
    "sweep": {"_files", "_require"},
    "data": {"_arrays", "_files", "spikes"},
    "learning": {
        "_arrays", "_moved", "_require", "spikes", "system", "energies", "stepping", "simulate",
    },
    "models": {
        "_arrays", "_moved", "_require", "system", "flows", "views", "energies", "neurons",
        "inputs", "networks", "jumps", "stepping", "simulate", "encode", "cost",
    },
    "analysis": {
        "_fit", "_layout", "_moved", "spikes", "system", "flows", "views", "_require", "stepping",
        "simulate",
    },
    "plot": {"_require", "spikes", "stepping", "analysis"},
    **{room: {"_moved"} for room in OLD},
    "__init__": {
        "_moved", "spikes", "system", "flows", "views", "energies", "neurons", "inputs", "networks",
        "connect", "synapses", "jumps", "stepping", "restart", "solution", "simulate", "encode",
        "cost", "sweep", "data", "learning", "models", "analysis", "plot",
    },
}  # fmt: skip
HEAVY = {"matplotlib", "tensorflow_datasets", "xarray", "zarr", "sklearn", "tqdm", "tyro"}
LOADS = {  # where it is called
    "plot": {"matplotlib"},
    "sweep": {"xarray", "zarr", "tqdm"},
    "data": {"tensorflow_datasets", "sklearn", "tqdm"},
}


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, package: tuple[str, ...]):
    """Absolute dotted names that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join((*base, *filter(None, [node.module])))
            yield from (f"{name}.{alias.name}" for alias in node.names)


def files():
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_imports_only_the_layers_below_it(path):
    own = layer(path)
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for name in imports(path, package):
        parts = name.split(".")
        if parts[0] == "bpcjax":
            assert len(parts) == 1 or parts[1] == own or parts[1] in ALLOWED[own], name
        assert parts[0] not in {"experiments", "figures", "tests", "theory"}, name
        if parts[0] in HEAVY:
            assert parts[0] in LOADS.get(own, set()), name


def test_no_room_may_import_one_that_stands_beside_or_below_it():
    above = set()
    for room, allowed in ALLOWED.items():
        assert allowed <= above, (room, allowed - above)
        above.add(room)
    assert above == {layer(path) for path in files()}


def test_theory_imports_nothing_of_the_package():
    for path in (ROOT / "theory" / "closed_forms").rglob("*.py"):
        package = path.relative_to(ROOT).with_suffix("").parts[:-1]
        names = {name.split(".")[0] for name in imports(path, package)}
        allowed = "numpy scipy theory dataclasses typing collections itertools math".split()
        assert names <= set(allowed), path


def test_nothing_imports_a_script():
    for folder in ("bpcjax", "theory/closed_forms"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not {n.split(".")[0] for n in imports(path, ())} & {"experiments", "figures"}


def test_the_engine_alone_loads_nothing_heavy_and_sets_nothing():
    check = (
        "import sys, jax; before = dict(jax.config.values); import bpcjax; "
        f"assert not {HEAVY!r} & set(sys.modules); assert dict(jax.config.values) == before"
    )
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT)


def test_the_engine_alone_loads_few_rooms_and_the_others_load_where_they_are_used():
    check = (
        "import sys, bpcjax as bpc;"
        "rooms = {m.split('.')[1] for m in sys.modules if 'bpcjax.' in m};"
        "late = {'analysis', 'cost', 'encode', 'energies', 'learning', 'models', 'neurons'};"
        "assert not late & rooms and late <= set(dir(bpc)), rooms;"
        "assert all(getattr(bpc, room).__name__ == 'bpcjax.' + room for room in late);"
        "assert 'scipy.optimize' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT)


def test_files_have_one_idea():
    lengths = {p.name: len(p.read_text().splitlines()) for p in files()}
    assert max(lengths.values()) <= 400, lengths
