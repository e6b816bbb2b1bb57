"""Result codes of a solve: diffrax's, widened by what can go wrong with spikes."""

import diffrax as dfx


class RESULTS(dfx.RESULTS):  # pyright: ignore[reportGeneralTypeIssues]
    """Result codes: `diffrax.RESULTS` and the ways in which a solve with spikes can fail."""

    record_overflow = (
        "More spikes than the record has room for, so the solve ended there. Raise `max_spikes`."
    )
    step_overflow = (
        "More events in one step than the solver's `per_step` allows, so some would be lost. "
        "Raise `per_step` of the solver, or lower `dt`; a reset that leaves its guard at or "
        "above zero fires forever."
    )
    arrivals_overflow = (
        "More arrivals than there is room for: raise `room` of the solver (with OrderedSpikes "
        "spikes on their way, with the others steps of delay). Bins want steps of their own `dt`, "
        "on their own grid."
    )
    uneven_steps = (
        "Delayed spikes on a ring need constant steps. Use a constant step size, or OrderedSpikes."
    )
    event_not_located = (
        "A threshold crossing could not be located inside a step. Lower `dt`, or check that the "
        "guard and the vector field are finite and continuous between events."
    )
    not_finite = (
        "The state became NaN or infinite. Lower `dt`, use an adaptive `stepsize_controller`, or "
        "check `y0`, `args` and the parameters."
    )
    bad_parameter = (
        "A parameter of the system is NaN, or negative where it must be positive. Pass a value in "
        "the range that the system's class states."
    )
    bad_time = "`t0`, `t1`, `dt` must be finite with `t1 > t0` and `dt > 0`."
    unresolved_time = (
        "`dt` is finer than single precision (or that of `t0`, `t1`, `dt`) tells times near `t1` "
        "apart. Use double precision, a larger `dt`, or a run that starts nearer to time 0."
    )
    cut_state = (
        "`y0` is a state out of the middle of a run: spikes on their way are not in it. Pass "
        "`found.restart` of that run in its place; or start with nothing on its way, from "
        "`rest(...)` with parts of the state replaced."
    )
    ended_by_event = (
        "The run before was ended by its `event` inside a step, and what was on its way then is "
        "not known. End it at a time `t1`, or start from its `final` parts with nothing on its way."
    )
