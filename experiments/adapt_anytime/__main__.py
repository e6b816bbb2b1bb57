"""`python -m experiments.adapt_anytime`"""

from . import main

main()
