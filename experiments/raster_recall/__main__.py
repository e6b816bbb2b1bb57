"""`python -m experiments.raster_recall`"""

from . import STUDY

STUDY.main()
