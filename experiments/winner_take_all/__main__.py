"""`python -m experiments.winner_take_all`"""

from . import STUDY

STUDY.main()
