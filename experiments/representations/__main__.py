"""`python -m experiments.representations`"""

from . import STUDY

STUDY.main()
