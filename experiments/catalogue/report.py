"""Results of the catalogue: its data set, its numbers, its table."""

from typing import Any

import numpy as np
import xarray as xr

from theory.closed_forms import lif_events, neurons

Parts = dict[str, dict[str, np.ndarray]]

# Rates (Hz) in closed form over the drive: of a span of 10 mV at 200 pF; of a time constant of
# 20 ms and a threshold of 100 pA; of `tau` = 10 ms.
CLOSED_FORMS = {
    "IF": lambda drive: 1000 / neurons.if_period(drive, 200.0, 10.0),
    "LIF": lambda drive: 1000 * lif_events.rate(drive / 100.0, 20.0),
    "theta": lambda drive: 1000 / neurons.theta_period(drive, 10.0),
}


def as_dataset(
    parts: Parts, units: dict[str, str], patterns: list[str], planes: list[str], attrs: dict
) -> xr.Dataset:
    """Data set of the parts by name; spikes are padded with NaN."""

    def stack(names, key):
        return np.stack([parts[name][key] for name in names])

    rates, fields = [f"rates of {name}" for name in units], [f"plane of {name}" for name in planes]
    ms = {"units": "ms"}
    most = max(1, int(np.isfinite(stack(patterns, "spike")).sum(axis=1).max()))
    return xr.Dataset(
        {
            "drive": (("curve", "point"), stack(rates, "drive")),
            "rate": (("curve", "point"), stack(rates, "rate"), {"units": "Hz"}),
            "rate_ok": (("curve", "point"), stack(rates, "ok")),
            "unit": (("curve",), list(units.values())),
            "time": (("pattern", "sample"), stack(patterns, "time"), ms),
            "v": (("pattern", "sample"), stack(patterns, "v"), {"units": "mV"}),
            "recovery": (("pattern", "sample"), stack(patterns, "recovery")),
            "step": (("pattern", "sample"), stack(patterns, "drive")),
            "spike": (("pattern", "event"), stack(patterns, "spike")[:, :most], ms),
            "peak": (("pattern",), stack(patterns, "peak"), {"units": "mV"}),
            "pattern_ok": (("pattern",), stack(patterns, "ok")),
            "plane_x": (("plane", "column"), stack(fields, "x"), {"units": "mV"}),
            "plane_y": (("plane", "row"), stack(fields, "y")),
            "plane_dx": (("plane", "row", "column"), stack(fields, "dx")),
            "plane_dy": (("plane", "row", "column"), stack(fields, "dy")),
        },
        coords={"curve": list(units), "pattern": patterns, "plane": planes},
        attrs=attrs,
    )


def summary(dataset: xr.Dataset) -> dict[str, Any]:
    """Numbers of each curve (first drive that fires, highest rate, error against the closed form)
    and of each pattern (spikes, the first of them, range of intervals).
    """
    curves, patterns = {}, {}
    for name in map(str, dataset.curve.values):
        curve = dataset.sel(curve=name)
        drive, rate = curve.drive.values, curve.rate.values
        fires = np.flatnonzero(rate > 0)
        curves[name] = {
            "unit": str(curve.unit.values),
            "first drive with spikes": float(drive[fires[0]]) if fires.size else None,
            "highest rate (Hz)": float(rate.max()),
            "failed": int((~curve.rate_ok.values).sum()),
        }
        if name in CLOSED_FORMS and fires.size:
            error = np.abs(rate - CLOSED_FORMS[name](np.where(rate > 0, drive, 1.0)))[fires]
            curves[name]["largest error (Hz)"] = float(error.max())
    for name in map(str, dataset.pattern.values):
        times = dataset.spike.sel(pattern=name).values
        spikes = times[np.isfinite(times)]
        intervals = np.diff(spikes)
        patterns[name] = {
            "spikes": int(spikes.size),
            "first (ms)": float(spikes[0]) if spikes.size else None,
            "shortest interval (ms)": float(intervals.min()) if intervals.size else None,
            "longest interval (ms)": float(intervals.max()) if intervals.size else None,
            "failed": int(not dataset.pattern_ok.sel(pattern=name)),
        }
    return {"curves": curves, "patterns": patterns}


def table(metrics: dict[str, Any]) -> str:
    """The numbers as text."""

    def text(value):
        return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)

    lines = []
    for part in metrics.values():
        columns = [*dict.fromkeys(key for row in part.values() for key in row)]
        lines.append(f"{'':34s}" + "".join(f"{key:>25s}" for key in columns))
        for name, row in part.items():
            shown = (text(row.get(key)) for key in columns)
            lines.append(f"{name:34s}" + "".join(f"{value:>25s}" for value in shown))
        lines.append("")
    return "\n".join(lines[:-1])
