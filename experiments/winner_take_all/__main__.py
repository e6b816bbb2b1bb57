"""`python -m experiments.winner_take_all`"""

from . import main

main()
