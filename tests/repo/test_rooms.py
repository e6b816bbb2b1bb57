"""The import graph over the package, the studies, the theory and the figures: who may know whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("bpcjax", "experiments", "figures", "theory")


def modules() -> dict[str, Path]:
    """Every module by its dotted name; a package by that of its folder."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


def imported(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of ours that one imports, wherever in its file. A module's own packages do not
    count: a face imports its parts."""
    inside = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = inside[: len(inside) - node.level + 1] if node.level else []
            origin = ".".join((*base, *filter(None, [node.module])))
            names |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}

    def is_own_face(other: str) -> bool:
        return known[other].name == "__init__.py" and name.startswith(f"{other}.")

    return {other for other in names & known.keys() if other != name and not is_own_face(other)}


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected components of more than one module (Tarjan 1972, SIAM J. Comput.)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    components = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in graph[node]:
            if other not in order:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == order[node]:
            component = {stack.pop()}
            while node not in component:
                component.add(stack.pop())
            if len(component) > 1:
                components.append(component)

    for node in graph:
        if node not in order:
            visit(node)
    return components


@pytest.fixture(scope="module")
def graph():
    known = modules()
    return {name: imported(name, path, known) for name, path in known.items()}


def study(name: str) -> str | None:
    """The study that a module belongs to: `NAME` of `experiments.NAME`; none for what is common
    and for benchmarks, which time studies."""
    room, *rest = name.split(".")
    if room != "experiments" or not rest or rest[0] in ("common", "benchmarks"):
        return None
    return {"learn_fashion": "learn"}.get(rest[0], rest[0])  # another name of that study


def arrows(graph, start: str, stop: str, but: tuple[str, ...] = ()) -> set[tuple[str, str]]:
    """The imports from modules below `start` of modules below `stop`, but for some."""
    return {
        (name, other)
        for name, others in graph.items()
        for other in others
        if below(name, start) and below(other, stop) and not any(below(other, x) for x in but)
    }


def without_face(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those that do not end at the experiments' face, which has no study in it."""
    return {(name, other) for name, other in pairs if other != "experiments"}


def below(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def test_circles_are_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_there_are_no_circles(graph):
    assert len(graph) > 300 and circles(graph) == []


@pytest.mark.parametrize("room", FOLDERS[1:])
def test_the_package_imports_no_script(graph, room):
    assert not arrows(graph, "bpcjax", room)


def test_theory_imports_of_the_experiments_what_is_common(graph):
    assert (
        without_face(arrows(graph, "theory", "experiments", but=("experiments.common",))) == set()
    )


def test_no_figure_imports_a_study(graph):
    studies = arrows(graph, "figures", "experiments", but=("experiments.common",))
    assert without_face(studies) | arrows(graph, "figures", "theory.regimes") == set()


def test_no_study_imports_another(graph):
    pairs = {(study(a), study(b), a, b) for a, b in arrows(graph, "experiments", "experiments")}
    assert {x for x in pairs if None not in x[:2] and x[0] != x[1]} == set()
