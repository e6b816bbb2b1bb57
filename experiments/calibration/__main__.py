"""`python -m experiments.calibration`"""

from . import STUDY

STUDY.main()
