"""What code systems and value sets say, through the door: those that are stored, shipped, or sent with the question.

They say nothing of persons, so whoever is known may ask; the question is recorded all the same.

https://hl7.org/fhir/R4/terminology-service.html
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.access.caller import Asking
from gateway.access.conditions import terminology
from gateway.access.conformance import Canonicals
from gateway.access.decision import decide
from gateway.access.translating import Which
from gateway.definitions.codes import Code
from gateway.errors import BadRequest, NotFound, Unprocessable
from gateway.records import Resource
from gateway.terminology import System, Terminology, TooLarge
from gateway.terminology import concepts as answers
from gateway.terminology.concepts import Coding, Verdict, Wanted
from gateway.terminology.context import bound
from gateway.terminology.expansion import Page, among, expand

CODE_SYSTEM, VALUE_SET = "CodeSystem", "ValueSet"
R4 = "4.0.1"


class Terms(Canonicals):
    """lookup, subsumes, code_in_system, code_in_set, expand."""

    def lookup(self, asking: Asking, which: Which, code: str, wanted: Wanted, base: str) -> Resource:
        """Parameters: what the code is called, what it means, what lies above and below it. NotFound."""
        terms, url, system = self._code_system(asking, which, base)
        told = answers.lookup(terms, system, url, code, wanted)
        if told is None:
            raise _no_code(url)
        return _parameters(told)

    def subsumes(self, asking: Asking, which: Which, a: str, b: str, base: str) -> Resource:
        """Parameters with the outcome: equivalent, subsumes, subsumed-by or not-subsumed. NotFound."""
        _, url, system = self._code_system(asking, which, base)
        outcome = answers.subsumes(system, a, b)
        if outcome is None:
            raise _no_code(url)
        return _parameters([{"name": "outcome", "valueCode": outcome}])

    def code_in_system(
        self,
        asking: Asking,
        which: Which,
        codings: Sequence[Coding],
        *,
        abstract: bool,
        language: str | None,
        base: str,
    ) -> Resource:
        """Parameters with the result; one right coding of several is enough. NotFound for an unknown code system."""
        terms, url, _ = self._code_system(asking, which, base)

        def judged(coding: Coding) -> Verdict:
            if coding.get("system", url) != url:
                return Verdict(False, f"This is a code of another system than {url}.")
            return answers.validated(terms, url, coding, abstract=abstract, language=language)

        return _parameters(answers.best(map(judged, codings)).parameters())

    def code_in_set(
        self,
        asking: Asking,
        which: Which,
        codings: Sequence[Coding],
        *,
        abstract: bool,
        language: str | None,
        base: str,
        versions: Sequence[tuple[str, str]] = (),
    ) -> Resource:
        """Parameters with the result. NotFound; Unprocessable where the value set cannot be expanded."""
        terms, _, codes = self._value_set(asking, which, base)
        _held(terms, versions)
        judged = (among(terms, codes, one, abstract=abstract, language=language) for one in codings)
        return _parameters(answers.best(judged).parameters())

    def expand(
        self, asking: Asking, which: Which, page: Page, base: str, versions: Sequence[tuple[str, str]] = ()
    ) -> Resource:
        """The ValueSet with its expansion; of these versions of code systems. NotFound, Unprocessable."""
        terms, value_set, codes = self._value_set(asking, which, base)
        _held(terms, versions)
        return expand(terms, value_set, codes, page, self._rooms.clock())

    def _code_system(self, asking: Asking, which: Which, base: str) -> tuple[Terminology, str, System]:
        given, terms = self._given(asking, CODE_SYSTEM, which, base)
        url, _, version = (which.url or "").partition("|")
        version = which.version or version
        if given is not None:
            url = str(given.get("url") or "")
            system = terms.system(url)
            if system is None:
                raise Unprocessable("This code system does not hold its own codes.", rule="code-system-not-held")
            return terms, url, system
        if not url:
            raise BadRequest("Say which code system.", rule="parameter-missing", where="system")
        system = terms.system(f"{url}|{version}") if version else terms.system(url)
        if system is None or (version and system.head.get("version", R4) != version):
            text = "No code system of this url, or not of this version, is held here. Store it, with all its codes."
            raise NotFound(text, rule="code-system-unknown", where=url[:200])
        return terms, url, system

    def _value_set(self, asking: Asking, which: Which, base: str) -> tuple[Terminology, Resource, frozenset[Code]]:
        given, terms = self._given(asking, VALUE_SET, which, base)
        url, _, version = (which.url or "").partition("|")
        version = which.version or version
        if given is None and not url:
            raise BadRequest("Say which value set.", rule="parameter-missing", where="url")
        found = given or terms.value_set(f"{url}|{version}" if version else url)
        if found is None or (version and given is None and found.get("version", R4) != version):
            text = "No value set of this url, or not of this version, is known here. Send it as valueSet, or store it."
            raise NotFound(text, rule="value-set-unknown", where=url[:200])
        made_of_codes = "compose" in found or "expansion" in found
        try:
            codes = terms.codes_of(found) if made_of_codes else terms.codes(url)
        except TooLarge as error:
            text = "The value set has more codes than are listed here. Ask for a smaller one."
            raise Unprocessable(text, rule="too-costly") from error
        if codes is None:
            text = "The value set is made of code systems or by filters that are not held here. Store the code systems."
            raise Unprocessable(text, rule="value-set-not-expanded")
        return terms, found, codes

    def bound(self, context: str) -> str:
        """The value set that an element is bound to. NotFound."""
        found = bound(context, self._rooms.definitions)
        if found is None:
            text = "Name an element of R4 that is bound to a value set: [StructureDefinition]#[Type.element]."
            raise NotFound(text, rule="context-unknown", where="context")
        return found

    def _given(self, asking: Asking, kind: str, which: Which, base: str) -> tuple[Resource | None, Terminology]:
        """The resource that is sent or named by its id; and the terminology, in which it goes before what is kept."""
        if which.id is not None:
            given: Resource | None = self.by_id(asking, kind, which.id)
        else:
            given = which.sent
            self.audit(asking, decide(asking.caller, kind, takes_part=None))
        return given, terminology(self._rooms, base, *([given] if given is not None else []))


def _held(terms: Terminology, versions: Sequence[tuple[str, str]]) -> None:
    """Unprocessable where a code system is held in another version than is asked for."""
    for url, version in versions:
        system = terms.system(url)
        held = None if system is None else system.head.get("version")
        if system is not None and held != version:
            text = f"This code system is held in {f'version {held}' if held else 'no version'}, and in no other."
            raise Unprocessable(text, rule="version-not-held", where=url[:200])


def _no_code(url: str) -> NotFound:
    return NotFound("The code system does not have this code.", rule="code-unknown", where=url[:200])


def _parameters(told: list[dict[str, object]]) -> Resource:
    return {"resourceType": "Parameters", "parameter": told}
