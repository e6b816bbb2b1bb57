"""`python -m experiments.adapt`"""

from . import main

main()
