"""What every solver around a diffrax solver passes on."""

import diffrax as dfx
import equinox as eqx


class AbstractAround(dfx.AbstractWrappedSolver):
    """A solver that makes its steps with those of `inner`, and has its order."""

    inner: eqx.AbstractVar[dfx.AbstractSolver]

    @property
    def term_structure(self):
        return self.inner.term_structure

    def order(self, terms):
        return self.inner.order(terms)

    def strong_order(self, terms):
        return self.inner.strong_order(terms)

    def error_order(self, terms):
        return self.inner.error_order(terms)

    def func(self, terms, t0, y0, args):
        return self.inner.func(terms, t0, y0, args)
