"""`python -m experiments.representations`"""

from . import main

main()
