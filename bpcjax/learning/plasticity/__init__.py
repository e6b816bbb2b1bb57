"""Spike-timing-dependent plasticity: rules, and their replay over recorded spikes."""

from .replay import Rewards as Rewards, pair_sum as pair_sum, replay as replay
from .stdp import (
    AbstractBounds as AbstractBounds,
    AbstractSTDP as AbstractSTDP,
    Eligible as Eligible,
    Free as Free,
    Hard as Hard,
    Moment as Moment,
    RewardSTDP as RewardSTDP,
    Soft as Soft,
    STDPTraces as STDPTraces,
    TraceSTDP as TraceSTDP,
    TriggeredSTDP as TriggeredSTDP,
    Window as Window,
)
