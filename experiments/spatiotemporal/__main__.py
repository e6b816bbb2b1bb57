"""`python -m experiments.spatiotemporal`"""

from . import STUDY

STUDY.main()
