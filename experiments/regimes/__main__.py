"""`python -m experiments.regimes`"""

from . import STUDY

STUDY.main()
