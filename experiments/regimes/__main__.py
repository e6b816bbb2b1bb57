"""`python -m experiments.regimes`"""

from . import main

main()
