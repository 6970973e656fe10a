"""State, agree, save: what every new statement goes through, whether a source or a caller made it.

One unit of work. The statements that are new decide which resources are folded anew: those they are about, those that
a link ties to them, and those that named an identifier which has only now come to be known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from gateway.coordination.agree import agree_all
from gateway.coordination.agreements import Authority, authority
from gateway.coordination.compartments import compartments
from gateway.coordination.consenting import CONSENT, leans_on, says_over, to_state, unconsented
from gateway.coordination.heirs import is_passing
from gateway.coordination.over import PERIOD, bearings
from gateway.coordination.plans.basis import WITHHELD, labelled, merges, plans_of
from gateway.coordination.plans.closing import ACCOUNT, closed, closed_with, gives_way, literals, targets, within
from gateway.coordination.plans.follow import follow_all
from gateway.coordination.plans.rules import PLAN, TEAM, contains_team
from gateway.coordination.proposing import proposals
from gateway.coordination.statements import GATEWAY_SOURCE
from gateway.identity.identifiers import Named
from gateway.identity.resolve import Key, logical_references
from gateway.identity.systems import HSA_ID
from gateway.records import Agreed, Link, Resource, Statement
from gateway.store import Bearing, Saved, SavedResource, Stored, UnitOfWork
from gateway.store.identifiers import lock_keys

Thing = tuple[str, str]
"""Resource type and id."""
_TASK: Final = "Task"
_ORGANIZATION: Final = "Organization"
_FOLLOWING: Final = (PLAN, TEAM)
"""What follows from the Tasks that are based on it."""
_ABOUT: Final = ("based-on", "focus")
"""The search parameters by which Tasks are about plans."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The statements that were new, and what is stored now of the resources they led to."""

    fresh: tuple[Statement, ...] = ()
    saved: tuple[Saved, ...] = ()


class Recorder:
    """Holds the table of authority; everything else is in the unit of work."""

    def __init__(self, table: Authority | None = None, *, rules: str = "default") -> None:
        """`rules` is the profile that the parties have agreed: by some of them a plan contains its team."""
        self.authority = table or authority()
        self._contained = contains_team(rules)

    def record(
        self,
        uow: UnitOfWork,
        statements: Sequence[Statement],
        *,
        identifiers: Mapping[Key, str] | None = None,
        links: Iterable[Link] = (),
        organisation: str | None = None,
        versions: Mapping[Thing, str] | None = None,
        unheard: Collection[Thing] = (),
        named: Mapping[str, Sequence[Named]] | None = None,
    ) -> Recorded:
        """Keep what is new of the statements, and save what is agreed now of all they concern.

        `identifiers` are to be known from now on; `organisation` is the caller's, where a command stated this.
        `versions` are the names of those to be made that something refers to already. `unheard` are things whose ids
        were made up just now, so that nothing of them need be looked for. `named` are the references by identifier in
        statements, by digest, as far as they are at hand.
        """
        uow.lock({one.person or one.resource_id for one in statements} | _to_hold(statements, identifiers or {}))
        said = list(links) + _claim(uow, identifiers or {})
        uow.links.add(said)
        new = uow.statements.add(statements, unheard)
        fresh = list({one.digest: one for one in statements if one.digest in new}.values())
        concerned: set[Thing] = {(one.resource_type, one.resource_id) for one in fresh}
        concerned |= uow.identifiers.waiting(identifiers or {})
        concerned |= self._linked(uow, said)
        if not concerned:
            return Recorded()
        unheard = () if said else unheard  # What was claimed at the same time is tied to what another one made.
        found, named, agreed = self._told(uow, concerned, fresh, unheard, named)
        saved = _save(uow, [_to_save(one, organisation, versions or {}) for one in agreed], unheard)
        persons = {(one.resource_type, one.id): one.person for one in agreed}
        if parted := {id for one in said if _parts(one) for id in (one.from_id, one.to_id)}:
            # Who took part in the care of the one, taken for the other, takes part in the other's no longer.
            keys = {*uow.persons.of_patients(parted).values(), *parted}
            uow.persons.take_part_alone(keys, _parties(found, named, persons))
        self._follow(uow, agreed, _parties(fresh, named, persons))
        return Recorded(tuple(fresh), tuple(saved))

    def anew(self, uow: UnitOfWork, things: Collection[Thing]) -> list[Saved]:
        """Save what is agreed of these things by today's rules, where it was agreed by older ones.

        Nobody says anything by it. Which caller wrote a resource last stays as it is.
        """
        stored = uow.resources.read_many(things)
        uow.lock({one.person for one in stored.values() if one.person} | {id for _, id in things})
        found, named, agreed = self._told(uow, things)
        persons = {(one.resource_type, one.id): one.person for one in agreed}
        wrote = {thing: one.organisation for thing, one in uow.resources.read_many(persons).items()}
        saved = _save(uow, [_to_save(one, wrote.get((one.resource_type, one.id)), {}) for one in agreed])
        self._follow(uow, agreed, _parties(found, named, persons))
        return saved

    def fold(self, uow: UnitOfWork, concerned: Collection[Thing]) -> list[Agreed]:
        """What the statements about these things, and about those tied to them, agree on."""
        return self._with_plans(uow, self._agreed(uow, concerned))

    def bearings(self, uow: UnitOfWork, concerned: Collection[Thing]) -> list[Bearing]:
        """Until when these things, and those tied to them, bear on who does what."""
        timed = {thing for thing in concerned if thing[0] in PERIOD}
        found, links = _gathered(uow, timed) if timed else ([], [])
        return list(bearings(found, links, self.authority, _named(found)))

    def keep_bearings(self, uow: UnitOfWork, concerned: Collection[Thing]) -> None:
        """Write anew until when these things bear on who does what."""
        uow.bearing.keep(self.bearings(uow, concerned))

    def _told(
        self,
        uow: UnitOfWork,
        concerned: Collection[Thing],
        fresh: Sequence[Statement] = (),
        unheard: Collection[Thing] = (),
        read: Mapping[str, Sequence[Named]] | None = None,
    ) -> tuple[list[Statement], Mapping[str, Sequence[Named]], list[Agreed]]:
        """What is said of these things, whom each statement names, and what is agreed; who awaits whom is kept."""
        found, links = _gathered(uow, concerned, fresh, unheard)
        named = _named(found, read or {})
        uow.bearing.keep(bearings(found, links, self.authority, named))
        awaiting = _awaiting(found, named)
        known = uow.identifiers.find(awaiting)
        if unknown := awaiting.keys() - known.keys():
            # Whoever makes one known meanwhile either is waited for here, or finds what waits for it.
            uow.lock(lock_keys(unknown), shared=True)
            known |= uow.identifiers.find(unknown)
            uow.identifiers.wait({key: awaiting[key] for key in unknown - known.keys()})
        links += uow.links.of_targets(known, besides=links)
        return found, named, self._with_plans(uow, agree_all(found, links, self.authority, known=known), told=True)

    def _follow(self, uow: UnitOfWork, agreed: Sequence[Agreed], parties: Iterable[tuple[str, str]]) -> None:
        """Keep what follows from what is agreed: who takes part in whose care, and which links are to be proposed."""
        uow.persons.take_part(parties)
        uow.persons.take_part(within(agreed, _hsa_ids(uow, literals(agreed))))
        for one in agreed:
            if one.resource_type == "Patient" and one.person not in (None, one.id):
                uow.persons.take_part((party, str(one.person)) for party in uow.persons.parties(one.id))
        uow.links.add(proposals(uow, agreed))

    def _with_plans(self, uow: UnitOfWork, agreed: list[Agreed], *, told: bool = False) -> list[Agreed]:
        """What is agreed, with the plans and teams that follow from it.

        `told`: Tasks are changed by it, so that the plans that they were about before are concerned, too.
        """
        tasks = {one.id: one for one in agreed if one.resource_type == _TASK}
        concerned = {id for one in tasks.values() for id in _plans(one)}
        concerned |= {one.id for one in agreed if one.resource_type in _FOLLOWING}
        if told:
            concerned |= uow.resources.named_by(_TASK, tasks, _ABOUT, PLAN)
            concerned |= _leaning(uow, agreed)
        if not concerned:
            return _with_accounts(uow, agreed)
        found = {(one.resource_type, one.id): one for one in agreed}
        seen: set[str] = set()
        while new := concerned - seen:  # A merger leads from one plan to another.
            seen |= new
            if told:
                uow.lock(new)
            for one in self._agreed(uow, {(kind, id) for id in new for kind in _FOLLOWING} - found.keys()):
                found.setdefault((one.resource_type, one.id), one)
            for stored in uow.resources.naming(_TASK, _ABOUT, PLAN, new):
                if stored.id not in tasks:
                    tasks[stored.id] = _as_agreed(stored)
            concerned |= {id for one in tasks.values() if merges(one.resource) for id in _plans(one)}
        teams = uow.resources.read_many([(kind, id) for id in seen for kind in _FOLLOWING])
        plans = {id: found[PLAN, id] for id in sorted(seen) if (PLAN, id) in found}
        stated = {id: found[TEAM, id] for id in seen if (TEAM, id) in found}
        made = follow_all(plans, tasks.values(), stated, self.authority.steps[_TASK], contained=self._contained)
        for id, (plan, team) in made.items():
            found[PLAN, id] = plan
            if team is not None:
                found[TEAM, id] = team
            elif (TEAM, id) in teams and not teams[TEAM, id].deleted:
                found[TEAM, id] = replace(plan, resource_type=TEAM, deleted=True)
        following = [one for one in found.values() if one.resource_type in _FOLLOWING]
        drafts = _unconsented(uow, found, told=told)
        stale = {(_TASK, one.id) for one in closed(following, tasks.values(), drafts) if one.resource_type == _TASK}
        for one in self._agreed(uow, stale - found.keys()):
            found.setdefault((one.resource_type, one.id), one)
        for one in closed(following, [one for one in found.values() if one.resource_type == _TASK], drafts):
            found[one.resource_type, one.id] = one
        if told and (_are_closed(found.values()) or _are_closed(teams.values())):
            accounts = uow.resources.naming(ACCOUNT, ("target",), _TASK, tasks)
            accounts += uow.resources.naming(ACCOUNT, ("target",), PLAN, seen)
            for one in self._agreed(uow, {(ACCOUNT, account.id) for account in accounts} - found.keys()):
                found.setdefault((one.resource_type, one.id), one)
        return _with_accounts(uow, found.values())

    def _agreed(self, uow: UnitOfWork, things: Collection[Thing]) -> list[Agreed]:
        if not things:
            return []
        found, links = _gathered(uow, things)
        known = uow.identifiers.find(_awaiting(found, _named(found)))
        links += uow.links.of_targets(known, besides=links)
        return agree_all(found, links, self.authority, known=known)

    def _linked(self, uow: UnitOfWork, links: Sequence[Link]) -> set[Thing]:
        """What a new tie changes: both ends, and everything about their persons, which may refer to them."""
        concerned = {(link.resource_type, id) for link in links for id in (link.from_id, link.to_id)}
        decided = [link for link in links if link.kind != "proposed"]
        tied = {(link.resource_type, id) for link in decided for id in (link.from_id, link.to_id)}
        ends = {id for kind, id in tied if kind == "Patient"}
        alike = uow.persons.patients_of({*ends, *uow.persons.of_patients(ends).values()}) if ends else {}
        patients = ends.union(*alike.values())  # Those who were one with either may get another key.
        concerned |= {("Patient", patient) for patient in patients}
        for person in patients | {one.person for one in uow.statements.of_resources(tied) if one.person}:
            concerned |= uow.statements.things_of(person)
        return concerned


def _parties_to(one: Statement, named: Iterable[Named]) -> list[str]:
    """The HSA-ids of who states something, and of the units that are `named` in it."""
    stating = [party for party in (one.party, one.provider) if party]
    return stating + [key[2] for _, key in named if key[1] == HSA_ID]


def _gathered(
    uow: UnitOfWork, concerned: Collection[Thing], fresh: Sequence[Statement] = (), unheard: Collection[Thing] = ()
) -> tuple[list[Statement], list[Link]]:
    """Every statement about these things and those tied to them, with the ties.

    `fresh` ones are kept already and need not be read again; they are all that is said of the `unheard`.
    """
    things = set(concerned)
    while True:  # Ties lead to further things; each is met once.
        found = [*fresh, *uow.statements.of_resources(things.difference(unheard), without=fresh)]
        ids = {id for _, id in things.difference(unheard)} | {one.person for one in found if one.person}
        links = uow.links.of(ids)
        tied = {(link.resource_type, id) for link in links for id in (link.from_id, link.to_id)}
        # Only ties between things of the kinds at hand pull in more; a person's ties say who the person is.
        kinds = {kind for kind, _ in things}
        more = {thing for thing in tied if thing[0] in kinds} - things
        if not more:
            return found, links
        things |= more


def _named(
    statements: Iterable[Statement], read: Mapping[str, Sequence[Named]] = MappingProxyType({})
) -> dict[str, Sequence[Named]]:
    """The references by identifier in each statement, by its digest; those that were `read` already are at hand."""
    return {one.digest: read[one.digest] if one.digest in read else logical_references(one.body) for one in statements}


def _to_hold(statements: Iterable[Statement], identifiers: Mapping[Key, str]) -> set[str]:
    """What may be waited for by who does not hold its person: identifiers of Patients, and of what is about nobody."""
    open_to_all = {one.resource_id for one in statements if one.person is None or one.resource_type == "Patient"}
    return lock_keys(key for key, id in identifiers.items() if id in open_to_all)


def _claim(uow: UnitOfWork, identifiers: Mapping[Key, str]) -> list[Link]:
    """Make identifiers known. Where another process was first, its id and ours are the same thing."""
    given = uow.identifiers.claim(identifiers)
    return [
        Link(key[0], id, given[key], "same", "claimed at the same time", uow.now)
        for key, id in identifiers.items()
        if given[key] != id
    ]


def _awaiting(statements: Iterable[Statement], named: Mapping[str, Sequence[Named]]) -> dict[Key, set[Thing]]:
    """The keys of references that await their target, and the things that name them."""
    awaiting: dict[Key, set[Thing]] = defaultdict(set)
    for one in statements:
        for reference, key in named[one.digest]:
            if "reference" not in reference:
                awaiting[key].add((one.resource_type, one.resource_id))
    return awaiting


def _parties(
    statements: Iterable[Statement], named: Mapping[str, Sequence[Named]], persons: Mapping[Thing, str | None]
) -> set[tuple[str, str]]:
    """Who takes part in whose care: those who state something of a person, and the units that they name.

    What the gateway itself says is missing names who must act, and makes nobody take part: it would give him access.
    Nor does what is withheld from other providers, such as the draft of a plan to which the person has not consented.
    To whom it passes a Task, he has it.
    """
    found: set[tuple[str, str]] = set()
    for one in statements:
        if one.source == GATEWAY_SOURCE and not is_passing(one):
            continue
        person = persons.get((one.resource_type, one.resource_id)) or one.person
        if person:
            heard = () if labelled(one.body, WITHHELD) else named[one.digest]
            found.update([(party, person) for party in _parties_to(one, heard)])
    return found


def _parts(link: Link) -> bool:
    """Whether two Patients are two persons from now on."""
    return link.resource_type == "Patient" and link.kind == "undone"


def _plans(task: Agreed) -> set[str]:
    """The plans that a Task is about: those that it is based on, and one that it would have go on in another."""
    other = merges(task.resource)
    return {*plans_of(task.resource), *([other] if other else ())}


def _leaning(uow: UnitOfWork, agreed: Iterable[Agreed]) -> set[str]:
    """The drafts that lean on consents which may be others now."""
    consents = {one.id: one.person for one in agreed if one.resource_type == CONSENT}
    plans = [
        one
        for p in sorted({p for p in consents.values() if p})
        for one in uow.resources.of_person(p, resource_types=[PLAN])
    ]
    return {one.id for one in plans if leans_on(one.resource()) & consents.keys()}


def _unconsented(uow: UnitOfWork, found: Mapping[Thing, Agreed], *, told: bool) -> set[str]:
    """The drafts that lean on a consent which does not hold; `told`: that its time is over is stated where it is so."""
    plans = [one for (kind, _), one in found.items() if kind == PLAN and not one.deleted]
    wanted = {(CONSENT, id) for one in plans for id in leans_on(one.resource)}
    needy = {one.id for one in plans if gives_way(one)}
    if not wanted and not needy:
        return set()
    stored = uow.resources.read_many(wanted - found.keys())
    consents = {id: _as_agreed(one) for (_, id), one in stored.items()}
    consents |= {id: found[CONSENT, id] for _, id in wanted if (CONSENT, id) in found}
    said = [one for one in uow.statements.of_resources(wanted) if says_over(one)]
    if told and (new := to_state(consents.values(), said, uow.now)):
        uow.statements.add(new)
        said += new
    return set(unconsented(plans, consents, said, needy))


def _with_accounts(uow: UnitOfWork, agreed: Collection[Agreed]) -> list[Agreed]:
    """What is agreed, with the Provenances in it closed as what they are about is."""
    accounts = [one for one in agreed if one.resource_type == ACCOUNT and not one.deleted]
    if not accounts:
        return list(agreed)
    found = {(one.resource_type, one.id): _resource(one) for one in agreed}
    about = {thing for one in accounts for thing in targets(one.resource)}
    found |= {thing: _resource(one) for thing, one in uow.resources.read_many(about - found.keys()).items()}
    shut = {thing: names for thing in about if thing in found and (names := compartments(found[thing]))}
    known = {one.id: one for one in closed_with(accounts, shut)}
    return [known.get(one.id, one) if one.resource_type == ACCOUNT else one for one in agreed]


def _are_closed(found: Iterable[Agreed | Stored]) -> bool:
    """Whether any of these is in a compartment."""
    return any(compartments(_resource(one)) for one in found)


def _resource(one: Agreed | Stored) -> Resource:
    """As it is; nothing of what is deleted."""
    if one.deleted:
        return {}
    return one.resource if isinstance(one, Agreed) else one.resource()


def _hsa_ids(uow: UnitOfWork, ids: Collection[str]) -> dict[str, list[str]]:
    """Organizations that are named by their literals, with their HSA-ids."""
    there = uow.resources.read_many([(_ORGANIZATION, id) for id in ids]) if ids else {}
    named = {id: one.resource().get("identifier", ()) for (_, id), one in there.items() if not one.deleted}
    return {id: [str(one["value"]) for one in of if one.get("system") == HSA_ID] for id, of in named.items()}


def _as_agreed(one: Stored) -> Agreed:
    resource = {} if one.deleted else one.resource()
    return Agreed(one.resource_type, one.id, one.person, resource, one.contributors, deleted=one.deleted)


def _save(uow: UnitOfWork, given: Sequence[SavedResource], unheard: Collection[Thing] = ()) -> list[Saved]:
    """Save these, and let each Patient among them lead to the person that it is."""
    saved = uow.resources.save(given, unheard)
    uow.persons.point({one.id: one.person for one in given if one.resource_type == "Patient" and one.person})
    return saved


def _to_save(agreed: Agreed, organisation: str | None, versions: Mapping[Thing, str]) -> SavedResource:
    return SavedResource(
        resource_type=agreed.resource_type,
        id=agreed.id,
        resource=None if agreed.deleted else agreed.resource,
        person=agreed.person,
        contributors=agreed.contributors,
        contradictions=agreed.contradictions,
        organisation=organisation,
        version=versions.get((agreed.resource_type, agreed.id)),
    )
