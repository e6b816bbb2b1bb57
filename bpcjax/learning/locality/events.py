"""Events on the way of a number through a network: what was sent, heard, or went astray."""

from typing import NamedTuple

Site = tuple[int, ...]  # of an equation: its number, after those of the calls around it


class Public(NamedTuple):
    """Number that all may read: an argument of the program that is shared, or one that the neurons
    of a population made together, `how`."""

    source: str
    how: str
    site: Site = ()


class Message(NamedTuple):
    """Event: synapses of an arrow are summed up, at the neurons after them (`along`) or before
    them; `signal`: they carried numbers of the neurons at the other end, and not weights alone."""

    arrow: str
    along: bool
    signal: bool
    site: Site


class Heard(NamedTuple):
    """Event: a public number is used by neurons of a population, or by synapses of two."""

    public: Public
    by: tuple[str, ...]


class Fault(NamedTuple):
    """Event: numbers go where nothing carries them."""

    edge: str
    reason: str


Event = Message | Heard | Fault
