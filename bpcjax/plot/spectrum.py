"""Spectrum plot: eigenvalues in the complex plane."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import ArrayLike
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from .._require import plain, scalar
from ._axes import axes, names_above


def spectrum(
    eigenvalues: ArrayLike,
    ax: Axes | None = None,
    p: ArrayLike | None = None,
    *,
    multipliers: bool = False,
    unit: str = "ms",
    plabel: str = "parameter",
    tol: float = 1e-6,
) -> Axes:
    """Spectrum: eigenvalues [n] or [rows, n] in the complex plane: filled where unstable, right of
    the imaginary axis, or, for `multipliers` of cycles and maps, outside of the unit circle.

    What is unstable by less than `tol`, in units of one plus the largest of its row, counts as
    stable: the multiplier 1 of a cycle. `unit` is that of time; multipliers have none. `p` [rows]
    (`plabel`), the parameter of each row of a branch, gives the colour. What is not finite is left
    out.

    **Raises:** `ValueError` naming the argument: shapes that do not fit, nothing that is finite.
    """
    values = plain("eigenvalues", eigenvalues, real=False).astype(complex)
    tol = scalar("tol", tol, least=0)
    if values.ndim not in (1, 2):
        raise ValueError(f"eigenvalues must have shape (rows, n) or (n,), got {values.shape}.")
    if not np.isfinite(values).any():
        raise ValueError("eigenvalues: none is finite.")
    rows = values.reshape(-1, values.shape[-1])
    tinted = None if p is None else plain("p", p)
    if tinted is not None and not (tinted.shape == (len(rows),) and np.isfinite(tinted).all()):
        raise ValueError(f"p must be finite, one value a row, ({len(rows)},): {tinted.shape}.")
    ax = axes(ax)
    if multipliers:
        angle = np.linspace(0.0, 2 * np.pi, 361)
        ax.plot(np.cos(angle), np.sin(angle), color="0.6", linewidth=0.8, zorder=0)
    else:
        ax.axvline(0.0, color="0.6", linewidth=0.8, zorder=0)
    ax.axhline(0.0, color="0.85", linewidth=0.6, zorder=0)
    there = np.isfinite(rows)
    across, up = (np.where(there, part, 0.0) for part in (np.real(rows), np.imag(rows)))
    size = np.hypot(across, up)
    grows = (size - 1 if multipliers else across) > tol * (1 + size.max(axis=1, keepdims=True))
    if tinted is None:
        edge = np.broadcast_to([0.0, 0.0, 0.0, 1.0], (*rows.shape, 4))
    else:
        norm = Normalize(tinted.min(), tinted.max())
        tint = plt.get_cmap("viridis")(norm(tinted))
        edge = np.broadcast_to(tint[:, None, :], (*rows.shape, 4))
        ax.figure.colorbar(ScalarMappable(norm, "viridis"), ax=ax, label=plabel)
    handles = []
    for marked, filled, name in ((grows, True, "unstable"), (~grows, False, "stable")):
        of = there & marked
        if of.any():
            tints: Any = dict(
                edgecolors=edge[of], facecolors=edge[of] if filled else np.ones_like(edge[of])
            )
            ax.scatter(across[of], up[of], s=16, linewidths=0.8, zorder=2, **tints)
            face = "0.3" if filled else "white"
            dot: Any = dict(linestyle="none", marker="o", markersize=4, color="0.3")
            handles.append(Line2D([], [], markerfacecolor=face, label=name, **dot))
    if multipliers:
        ax.set_aspect("equal", "datalim")
    of = "" if multipliers else f" (1/{unit})"
    ax.set(xlabel=f"real part{of}", ylabel=f"imaginary part{of}")
    names_above(ax, handles=handles)
    return ax
