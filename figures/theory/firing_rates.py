"""How fast neurons fire, measured and by theory (`results/theory/firing_rates.zarr`)."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import style

_PANELS = {  # title, unit of the drive, title of the legend
    "LIF": ("LIF", "drive $RI$ (mV)", "refractory period"),
    "LIF in white noise": ("LIF in white noise", "mean drive (mV)", r"noise $\sigma$"),
    "theta, QIF": ("theta and QIF", "drive (no unit)", None),
    "AdEx": ("AdEx", "drive (pA)", None),
    "Izhikevich": ("Izhikevich", "drive (mV/ms)", None),
    "squid axon": ("Hodgkin-Huxley", "drive (µA/cm²)", None),
}
_COLOURS = style.BLUE, style.RED, style.GREEN


def draw(dataset: xr.Dataset) -> Figure:
    """The figure: a panel for each model, and the deviations from theory below it."""
    with style.look():
        fig = plt.figure(figsize=(style.WIDTH, 6.9), layout="constrained")
        fig.suptitle(
            "Firing rates at a constant drive. Dots: measured. Lines: theory. "
            "Triangles: where rest is lost"
        )
        parts = fig.subfigures(2, 3, hspace=0.03).ravel()
        for k, (part, panel) in enumerate(zip(parts, _PANELS, strict=True)):
            own = dataset.isel(curve=np.flatnonzero(dataset.panel.values == panel))
            above, below = part.subplots(2, 1, sharex=True, height_ratios=[2.3, 1])
            _rates(above, own, panel)
            if panel == "LIF in white noise":
                _in_noise(below, own)
            else:
                _deviations(below, own)
            below.set_xlabel(_PANELS[panel][1])
            if k % 3 == 0:
                above.set_ylabel("rate (Hz)")
                below.set_ylabel("relative deviation")
            elif panel == "LIF in white noise":
                below.set_ylabel("deviation (%)", labelpad=0)
    return fig


def _curves(own: xr.Dataset):
    """Each curve with its colour."""
    for k, colour in zip(range(own.sizes["curve"]), _COLOURS, strict=False):
        yield own.isel(curve=k), colour


def _rates(ax: Axes, own: xr.Dataset, panel: str) -> None:
    for one, colour in _curves(own):
        ax.plot(one.line_drive, one.line_rate, color=colour, label=str(one.label.values))
        ax.plot(one.drive, one.rate, "o", color=colour, markersize=3, alpha=0.75)
        if np.isfinite(one.onset):
            low = ax.get_xaxis_transform()  # under the axis
            ax.plot(one.onset, -0.035, "^", color=colour, transform=low, clip_on=False)
    title, _, heading = _PANELS[panel]
    ax.set_title(title)
    ax.set_ylim(0, 1.25 * float(own.rate.max()))  # room for the names
    if own.sizes["curve"] > 1:
        ax.legend(loc="upper left", title=heading, borderpad=0, labelspacing=0.25, fontsize=6.5)


def _deviations(ax: Axes, own: xr.Dataset) -> None:
    """Absolute and relative, on a logarithmic scale; those that are too small on its lower end."""
    least = 1e-12
    for one, colour in _curves(own):
        fires = (one.theory > 0) & (one.rate > 0)
        off = np.abs(one.rate / one.theory - 1).where(fires)
        ax.semilogy(one.drive, np.maximum(off, least), "o", color=colour, markersize=3, alpha=0.75)
    ax.set_ylim(0.5 * least, 1e-2)
    ax.set_yticks([1e-12, 1e-9, 1e-6, 1e-3])


def _in_noise(ax: Axes, own: xr.Dataset) -> None:
    """In per cent, with standard errors, of rates above 1 Hz."""
    ax.axhline(0, color=style.BLACK, linewidth=0.6)
    span = float(own.drive[0, 1] - own.drive[0, 0])
    for k, (one, colour) in enumerate(_curves(own)):
        known = (one.theory > 1) & (one.rate > 0)
        off, error = (100 * (x / one.theory).where(known) for x in (one.rate, one.error))
        ax.errorbar(
            one.drive + 0.12 * (k - 1) * span, off - 100, error,
            fmt="o", color=colour, markersize=3, elinewidth=0.8,
        )  # fmt: skip
    reach = 1.15 * max(np.abs(ax.get_ylim()))
    ax.set_ylim(-reach, reach)
