"""Equations that move numbers along axes, for located arrays: allowed where no neuron moves."""

from collections.abc import Callable, Sequence
from typing import Any

from .located import Index, Located, arranged, factors, joined

Shape = Sequence[int]


def _along(value: Located, changed: Sequence[int], shape: Shape, live: bool) -> Located | None:
    """The value whose axes `changed` now have the sizes of `shape`, with numbers from other places
    of theirs; `None` if these count neurons."""
    if any(value.counts_neurons(axis) for axis in changed):
        return None
    layout: list[Any] = list(value.groups)
    for axis in changed:
        own = live or any(f.label is Index.OWN for f in value.axes[axis])
        layout[axis] = list(factors(Index.OWN if own else Index.STRUCTURE, shape[axis]))
    return arranged(value, layout)


def _changed(value: Located, shape: Shape) -> list[int]:
    return [k for k, (n, m) in enumerate(zip(value.shape, shape, strict=True)) if n != m]


def _pieces(params: dict, args: list[Located], shapes, live: bool) -> list[Located | None]:
    return [_along(args[0], _changed(args[0], shape), shape, live) for shape in shapes]


def _pad(params: dict, args: list[Located], shapes, live: bool) -> list[Located | None]:
    axes = [k for k, row in enumerate(params["padding_config"]) if any(row)]
    out = _along(args[0], axes, shapes[0], live)
    return [None if out is None else joined(out, args[1])]


def _rev(params: dict, args: list[Located], shapes, live: bool) -> list[Located | None]:
    return [_along(args[0], tuple(map(int, params["dimensions"])), shapes[0], live)]


def _running(params: dict, args: list[Located], shapes, live: bool) -> list[Located | None]:
    return [_along(args[0], [int(params["axis"])], shapes[0], live)]


def _sort(params: dict, args: list[Located], shapes, live: bool) -> list[Located | None]:
    outs = [_along(a, [int(params["dimension"])], shapes[0], live) for a in args]
    if any(out is None for out in outs):
        return [None]
    return [joined(*outs)] * len(shapes)  # pyright: ignore


def _concatenate(params: dict, args: list[Located], shapes, live: bool) -> list[Located | None]:
    outs = [_along(a, [int(params["dimension"])], shapes[0], live) for a in args]
    return [None if any(out is None for out in outs) else joined(*outs)]  # pyright: ignore


def _stack(params: dict, args: list[Located], shapes, live: bool) -> list[Located | None]:
    places = factors(Index.OWN if live else Index.STRUCTURE, len(args))
    axis, outs = params["axis"], []
    for arg in args:
        groups = arg.groups
        outs.append(arranged(arg, [*groups[:axis], places, *groups[axis:]]))
    return [joined(*outs)]


def _dynamic_slice(params: dict, args: list[Located], shapes, live: bool) -> list[Located | None]:
    out = _along(args[0], _changed(args[0], shapes[0]), shapes[0], live)
    return [None if out is None else joined(out, *args[1:])]


def _dynamic_update(params: dict, args: list[Located], shapes, live: bool) -> list[Located | None]:
    old, new, *where = args
    axes = _changed(new, shapes[0])
    both = [_along(a, axes, shapes[0], live) for a in (old, new)]
    return [None if any(b is None for b in both) else joined(*both, *where)]  # pyright: ignore


MOVES: dict[str, Callable[[dict, list[Located], Any, bool], list[Located | None]]] = {
    "slice": _pieces,
    "split": _pieces,
    "pad": _pad,
    "rev": _rev,
    "sort": _sort,
    "concatenate": _concatenate,
    "stack": _stack,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update,
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"), _running),
}


def moved(name: str, params: dict, args: list[Located], shapes) -> list[Located] | None:
    """The outputs of an equation of `MOVES`, or `None` where it moves neurons.

    Numbers of the inputs that are put together to an array have places that are of no neuron,
    unlike constants: as many sums as there are neurons are not one.
    """
    live = not all(a.is_constant for a in args)
    outs = MOVES[name](params, args, shapes, live)
    return None if any(out is None for out in outs) else outs  # pyright: ignore
