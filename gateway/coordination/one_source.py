"""What one source alone has told of a thing: of each of its records the last word counts, and none is weighed.

Most things are told of by one source. What it asserted is ordered once, where what several say is taken apart into
decisions, commands, readings and withdrawals first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.coordination.settling import DECIDED_SOURCE
from gateway.coordination.shared import COMMANDS
from gateway.coordination.statements import GATEWAY_SOURCE, OPERATOR_SOURCE, STILL_THERE, in_order
from gateway.identity.resolve import ABOUT, MENTION
from gateway.records import Statement

_OWN_WAYS: Final = frozenset({OPERATOR_SOURCE, GATEWAY_SOURCE, DECIDED_SOURCE})
_BY_THE_WAY: Final = (ABOUT, MENTION)


def told_by_one(said: Sequence[Statement]) -> Sequence[Statement] | None:
    """The facts in their order, of which none was corrected; None where there is more to it than what one source told.

    More is: what is withdrawn, commanded, decided or said of another id; and of several statements what is said by
    the way, held by a snapshot, or read twice.
    """
    source, id = said[0].source, said[0].resource_id
    if source in _OWN_WAYS or source.startswith(COMMANDS):
        return None
    places = set()
    for one in said:
        if one.kind != "assert" or one.source != source or one.resource_id != id or one.version == STILL_THERE:
            return None
        places.add((one.record_key, one.inbox_id, one.item))
    if len(said) == 1:
        return said
    if len(places) < len(said) or any(one.turn or one.record_key.startswith(_BY_THE_WAY) for one in said):
        return None
    facts = in_order(said)
    if len({one.record_key for one in facts}) < len(facts):
        last = {(one.record_key, one.effective): one for one in facts}
        facts = [one for one in facts if last[one.record_key, one.effective] is one]
    return facts


def last_words(facts: Sequence[Statement]) -> Sequence[Statement]:
    """What was said last of each record, in order."""
    last = {one.record_key: one for one in facts}
    return facts if len(last) == len(facts) else [one for one in facts if last[one.record_key] is one]
