"""`python -m experiments.calibration`"""

from . import main

main()
