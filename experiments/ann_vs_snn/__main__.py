"""`python -m experiments.ann_vs_snn`"""

from . import STUDY

STUDY.main()
