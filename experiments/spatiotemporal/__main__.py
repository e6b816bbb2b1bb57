"""`python -m experiments.spatiotemporal`"""

from . import main

main()
