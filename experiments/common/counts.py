"""Former place of `experiments.common.operations`, for studies that still import it here."""

from .operations import PRICES as PRICES, ledgers as ledgers, loihi as loihi, means as means
