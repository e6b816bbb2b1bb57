"""Report on a learning step: the messages, broadcasts and violations of its certificate."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable

from .events import Event, Fault, Heard, Message
from .wiring import Wiring


@dataclasses.dataclass(frozen=True)
class MessageUse:
    """Messages along an arrow: from the neurons of `pre` to those of `post`, `count` times in the
    program (a message in a loop counts once)."""

    arrow: str
    pre: str
    post: str
    count: int


@dataclasses.dataclass(frozen=True)
class BroadcastUse:
    """Broadcast: single numbers of a `source`, a population or an argument, made by the operations
    `how`, that all neurons and synapses of `heard` read; `count` of them in the program."""

    source: str
    heard: tuple[str, ...]
    how: tuple[str, ...]
    count: int


@dataclasses.dataclass(frozen=True)
class Violation:
    """Violation of a wiring: the `edge` that is not there or is used the wrong way, the `reason`,
    and the results that depend on it, by the arrow or population that they belong to."""

    edge: str
    reason: str
    results: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.edge}: {self.reason} (in {', '.join(self.results)})"


@dataclasses.dataclass(frozen=True)
class StepCertificate:
    """Certificate of a learning step on a wiring: the messages and broadcasts that it uses, and its
    violations."""

    messages: tuple[MessageUse, ...]
    broadcasts: tuple[BroadcastUse, ...]
    violations: tuple[Violation, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing but listed messages and broadcasts is needed. True is a proof."""
        return not self.violations

    @property
    def brief(self) -> str:
        """The verdict in a line: the edges of violations, and the sources of broadcasts."""
        edges = ", ".join(v.edge for v in self.violations)
        heard = ", ".join(b.source for b in self.broadcasts)
        verdict = "local" if self.ok else f"not local: {edges}"
        return f"{verdict}; broadcasts: {heard}" if heard else verdict

    def __str__(self) -> str:
        lines = [f"local on its wiring: {self.ok}"]
        for m in self.messages:
            lines.append(f"message along {m.arrow}: {m.pre} -> {m.post} (x {m.count})")
        for b in self.broadcasts:
            how = ", ".join(b.how)
            lines.append(f"broadcast: {b.source} ({how}), heard by {', '.join(b.heard)}")
        return "\n".join(lines + [f"violation: {v}" for v in self.violations])


def report(events: dict[str, set[Event]], wiring: Wiring) -> StepCertificate:
    """The certificate of what happened (`events`) on the way to each result."""
    every = set().union(*events.values())
    along = defaultdict(set)
    for event in every:
        if isinstance(event, Message) and event.along:
            along[event.arrow].add(event.site)
    messages = [
        MessageUse(arrow, *wiring.arrows[arrow], len(along[arrow])) for arrow in sorted(along)
    ]
    heard = [event for event in every if isinstance(event, Heard)]
    broadcasts = []
    for source in sorted({event.public.source for event in heard}):
        mine = [event for event in heard if event.public.source == source]
        broadcasts.append(
            BroadcastUse(
                source,
                tuple(sorted({p for event in mine for p in event.by})),
                tuple(sorted({event.public.how for event in mine})),
                len({event.public for event in mine}),
            )
        )
    results = defaultdict(set)
    for name, happened in events.items():
        for fault in _faults(happened, wiring):
            results[fault].add(name)
    violations = [Violation(f.edge, f.reason, tuple(sorted(results[f]))) for f in sorted(results)]
    return StepCertificate(tuple(messages), tuple(broadcasts), tuple(violations))


def _faults(events: Iterable[Event], wiring: Wiring) -> Iterable[Fault]:
    """What is wrong with each event, if anything."""
    for event in events:
        if isinstance(event, Fault):
            yield event
        elif isinstance(event, Message) and not event.along:
            pre, post = wiring.arrows[event.arrow]
            if event.signal:
                reason = f"the weights of {event.arrow} are read against their direction"
                yield Fault(f"{post} -> {pre}", reason)
            else:
                reason = f"neurons before {event.arrow} read its weights"
                yield Fault(f"{event.arrow} -> {pre}", reason)
        elif isinstance(event, Heard) and event.public.how != "argument":
            source = event.public.source
            for population in event.by:
                if (source, population) not in wiring.broadcasts:
                    reason = f"a number made by `{event.public.how}` is heard, not along an arrow"
                    yield Fault(f"{source} -> {population}", reason)
