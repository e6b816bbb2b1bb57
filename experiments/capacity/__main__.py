"""`python -m experiments.capacity`"""

from . import STUDY

STUDY.main()
