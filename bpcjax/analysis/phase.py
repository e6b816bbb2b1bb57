"""Old place of `bpcjax.analysis.phase_response`."""

from .._moved import moved

moved(__name__, "bpcjax.analysis.phase_response")
