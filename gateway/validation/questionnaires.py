"""What a questionnaire asks of its answers: which items, in which order, how many answers, of which kind, and when.

https://hl7.org/fhir/R4/questionnaireresponse.html#notes, https://hl7.org/fhir/R4/questionnaire.html#notes
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from gateway.validation.bindings import Codes
from gateway.validation.datatypes import Told
from gateway.validation.spots import Member, Object, listed

ASKED: Final = "Questionnaire"
RESPONSE: Final = "QuestionnaireResponse"
ANSWER: Final = RESPONSE + ".item.answer"
DONE: Final = ("completed", "amended")
"""Of a response that is none of these, an answer may still come."""
NO_QUESTION: Final = ("group", "display")
VALUES: Final[Mapping[str, frozenset[str]]] = {
    "boolean": frozenset(("valueBoolean",)),
    "decimal": frozenset(("valueDecimal",)),
    "integer": frozenset(("valueInteger",)),
    "date": frozenset(("valueDate",)),
    "dateTime": frozenset(("valueDateTime",)),
    "time": frozenset(("valueTime",)),
    "string": frozenset(("valueString",)),
    "text": frozenset(("valueString",)),
    "url": frozenset(("valueUri",)),
    "choice": frozenset(("valueCoding",)),
    "open-choice": frozenset(("valueCoding", "valueString")),
    "attachment": frozenset(("valueAttachment",)),
    "reference": frozenset(("valueReference",)),
    "quantity": frozenset(("valueQuantity",)),
}
"""The element that answers a question of each type."""
EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition/"
LEAST, GREATEST = EXTENSION + "minValue", EXTENSION + "maxValue"
FEWEST, MOST = EXTENSION + "questionnaire-minOccurs", EXTENSION + "questionnaire-maxOccurs"
ORDERED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}

Values = list[tuple[str, Any]]
Scope = dict[str, Values]
"""The answers to questions that others depend on, by linkId, of a list of items and all below it."""


def told(response: Object, questionnaire: Object, codes: Codes, answer: Mapping[str, Member]) -> Iterator[Told]:
    """What in a response is not as its Questionnaire asks. `answer`: what R4 has in an answer."""
    contained = {str(one.get("id")): one for one in listed(questionnaire.get("contained"))}
    depended_on = frozenset(_depended_on(questionnaire))
    reading = _Reading(response.get("status") in DONE, codes, answer, depended_on, contained)
    scope = reading.scope(response)
    yield from reading.items(response, questionnaire, "", (scope,))


@dataclass(slots=True)
class _Reading:
    """One comparison. `depended_on` are the questions that an `enableWhen` names, `contained` what is in the other."""

    done: bool
    codes: Codes
    members: Mapping[str, Member]
    depended_on: frozenset[str]
    contained: Mapping[str, Object]

    def scope(self, holder: Object) -> Scope:
        found: Scope = {}
        if not self.depended_on:
            return found
        for item in listed(holder.get("item")):
            link, answers = item.get("linkId"), listed(item.get("answer"))
            if link in self.depended_on:
                found.setdefault(str(link), []).extend(one for answer in answers if (one := _value(answer)) is not None)
            for below in (item, *answers):
                for name, values in self.scope(below).items():
                    found.setdefault(name, []).extend(values)
        return found

    def items(self, given: Object, asked: Object, at: str, scopes: tuple[Scope, ...]) -> Iterator[Told]:
        """The items of a response, a group or an answer, beside those that are asked there."""
        questions = [one for one in listed(asked.get("item")) if type(one.get("linkId")) is str]
        places = {one["linkId"]: place for place, one in enumerate(questions)}
        met: dict[str, int] = {}
        last = 0
        for number, item in enumerate(listed(given.get("item"))):
            where, link = f"{at}item[{number}]", item.get("linkId")
            if type(link) is not str or link not in places:
                text = "The questionnaire asks nothing with this linkId here."
                yield "error", "not-found", "response-item-unknown", text, f"{where}.linkId"
                continue
            place = places[link]
            if place < last:
                text = "Items stand in the order of the questionnaire; this one stands behind a later one."
                yield "error", "structure", "response-item-order", text, where
            last = max(last, place)
            met[link] = met.get(link, 0) + 1
            yield from self._repeated(questions[place], met[link], where)
            yield from self._item(item, questions[place], where, scopes)
        for question in questions:
            if question["linkId"] not in met:
                yield from self._missing(question, at, scopes)

    def _repeated(self, question: Object, times: int, where: str) -> Iterator[Told]:
        if times == 2 and (question.get("type") != "group" or question.get("repeats") is not True):
            text = "This item is there before: several answers to a question stand in one item, each as an answer."
            yield "error", "structure", "response-item-repeated", text, where

    def _missing(self, question: Object, at: str, scopes: tuple[Scope, ...]) -> Iterator[Told]:
        if self.done and question.get("required") is True and _enabled(question, scopes) is True:
            text = f"The questionnaire requires {question['linkId']!r}, and the response is said to be complete."
            yield "error", "required", "response-item-missing", text, at.removesuffix(".")

    def _item(self, item: Object, question: Object, where: str, scopes: tuple[Scope, ...]) -> Iterator[Told]:
        kind, answers = question.get("type"), listed(item.get("answer"))
        said, wanted = item.get("text"), question.get("text")
        if type(said) is str and type(wanted) is str and said.split() != wanted.split():
            yield (
                "warning",
                "value",
                "response-text-differs",
                "The questionnaire words this otherwise.",
                f"{where}.text",
            )
        if (answers or listed(item.get("item"))) and _enabled(question, scopes) is False:
            text = "By the questionnaire's enableWhen this is not asked, with the answers that were given."
            yield "error", "business-rule", "response-item-not-enabled", text, where
            return
        if kind in NO_QUESTION and answers:
            text = f"The item is a {kind}, which has no answer of its own."
            yield "error", "structure", "response-answer-unasked", text, f"{where}.answer"
            return
        if kind == "group":
            yield from self._group(item, question, where, scopes)
            return
        if listed(item.get("item")):
            text = "What is asked below a question stands in its answer: move these items to answer.item."
            yield "error", "structure", "response-item-misplaced", text, f"{where}.item"
        if kind not in NO_QUESTION:
            yield from self._answers(answers, question, where, scopes)

    def _group(self, item: Object, question: Object, where: str, scopes: tuple[Scope, ...]) -> Iterator[Told]:
        if self.done and question.get("required") is True and not listed(item.get("item")):
            text = "The questionnaire requires this group, and nothing in it is answered."
            yield "error", "required", "response-item-missing", text, where
        yield from self.items(item, question, where + ".", (self.scope(item), *scopes))

    def _answers(
        self, answers: list[Object], question: Object, where: str, scopes: tuple[Scope, ...]
    ) -> Iterator[Told]:
        least, most = _number(question, FEWEST), _number(question, MOST)
        required = question.get("required") is True and _enabled(question, scopes) is True
        if self.done and len(answers) < max(least or 0, int(required)):
            text = "There are fewer answers than the questionnaire requires."
            yield "error", "required", "response-item-missing", text, where
        if question.get("repeats") is not True:
            most = 1
        if most is not None and len(answers) > most:
            text = f"The questionnaire allows {most} answer{'' if most == 1 else 's'} here."
            yield "error", "structure", "response-answer-repeated", text, f"{where}.answer[{most}]"
        for number, answer in enumerate(answers):
            place = f"{where}.answer[{number}]"
            if (value := _value(answer)) is not None:
                yield from self._answer(*value, question, place)
            yield from self.items(answer, question, place + ".", (self.scope(answer), *scopes))

    def _answer(self, name: str, value: Any, question: Object, where: str) -> Iterator[Told]:
        step = f"{where}.{self.members[name][0]}" if name in self.members else where
        kind = str(question.get("type"))
        options = [one for option in listed(question.get("answerOption")) if (one := _value(option)) is not None]
        allowed = VALUES.get(kind)
        if allowed is not None and options and kind in ("choice", "open-choice"):
            allowed = frozenset(name for name, _ in options) | (allowed - {"valueCoding"})
        if allowed is not None and name not in allowed:
            text = f"The question is of the type {kind}: answer it with {' or '.join(sorted(allowed))}."
            yield "error", "structure", "response-answer-type", text, step
            return
        longest = question.get("maxLength")
        if type(longest) is int and type(value) is str and len(value) > longest:
            text = f"The questionnaire allows {longest} characters."
            yield "error", "too-long", "response-answer-length", text, step
        yield from _ranged(name, value, question, step)
        is_own = kind == "open-choice" and name == "valueString"
        if not is_own and self._optional(name, value, options, question) is False:
            text = "The answer is not among those that the questionnaire offers."
            yield "error", "code-invalid", "response-answer-option", text, step

    def _optional(self, name: str, value: Any, options: Values, question: Object) -> bool | None:
        """Whether the answer is among those that are offered; None where that is not known, or any is right."""
        if options:
            return any(one == name and _same(name, value, offered) is True for one, offered in options)
        value_set = question.get("answerValueSet")
        if type(value_set) is not str or name != "valueCoding":
            return None
        if not value_set.startswith("#"):
            return self.codes.member(value, value_set)
        inner = self.contained.get(value_set[1:])
        return None if inner is None else self.codes.member_of(value, inner)


# --- when a question is asked ----------------------------------------------------------------------------------------


def _depended_on(asked: Object) -> Iterator[str]:
    for item in listed(asked.get("item")):
        for one in listed(item.get("enableWhen")):
            if type(one.get("question")) is str:
                yield one["question"]
        yield from _depended_on(item)


def _enabled(question: Object, scopes: tuple[Scope, ...]) -> bool | None:
    """Whether a question is asked, with the answers that were given; None where that cannot be told."""
    held = [_holds(one, scopes) for one in listed(question.get("enableWhen"))]
    if not held:
        return True
    decides = question.get("enableBehavior") == "any"
    if decides in held:
        return decides
    return None if None in held else not decides


def _holds(condition: Object, scopes: tuple[Scope, ...]) -> bool | None:
    """By the answers that stand nearest: in the same group before those of others."""
    link, wanted = condition.get("question"), _value(condition, "answer")
    if type(link) is not str or wanted is None:
        return None
    answers = next((scope[link] for scope in scopes if scope.get(link)), [])
    name, value = wanted
    sign = str(condition.get("operator"))
    if sign == "exists":
        return bool(answers) is value if type(value) is bool else None
    if not answers:
        return None if sign == "!=" else False
    if sign in ORDERED:
        return _any(_ordered(ORDERED[sign], one, value) if kind == name else None for kind, one in answers)
    same = [_same(name, one, value) if kind == name else False for kind, one in answers]
    if sign == "=":
        return _any(same)
    return _any(None if one is None else not one for one in same) if sign == "!=" else None


def _any(held: Iterator[bool | None] | list[bool | None]) -> bool | None:
    known = list(held)
    return True if True in known else None if None in known else False


# --- values ----------------------------------------------------------------------------------------------------------


def _value(holder: Object, stem: str = "value") -> tuple[str, Any] | None:
    """The name and the value of a choice, named as an answer names it."""
    for name, value in holder.items():
        if name.startswith(stem) and name != stem and value is not None:
            return "value" + name[len(stem) :], value
    return None


def _same(name: str, one: Any, other: Any) -> bool | None:
    if name == "valueCoding" and type(one) is dict and type(other) is dict:
        return one.get("code") == other.get("code") and one.get("system") == other.get("system")
    if name == "valueReference" and type(one) is dict and type(other) is dict:
        return one.get("reference") == other.get("reference") if "reference" in other else None
    if name == "valueQuantity":
        return _ordered(operator.eq, one, other)
    if name == "valueAttachment":
        return None
    return bool(one == other)


def _ordered(compare: Callable[[Any, Any], bool], one: Any, other: Any) -> bool | None:
    """Numbers, dates of one precision, and quantities of one unit; None of others."""
    if type(one) is dict and type(other) is dict:
        if any(one.get(name) != other.get(name) for name in ("system", "code", "unit", "comparator")):
            return None
        one, other = one.get("value"), other.get("value")
    if _is_number(one) and _is_number(other):
        return compare(one, other)
    if type(one) is str and type(other) is str and len(one) == len(other) and one[19:] == other[19:]:
        return compare(one, other)
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and type(value) is not bool


def _ranged(name: str, value: Any, question: Object, step: str) -> Iterator[Told]:
    for url, sign, word in ((LEAST, "<", "least"), (GREATEST, ">", "greatest")):
        bound = _extension(question, url)
        if bound is not None and bound[0] == name and _ordered(ORDERED[sign], value, bound[1]) is True:
            text = f"The {word} that the questionnaire allows is {bound[1]}."
            yield "error", "value", "response-answer-range", text, step


def _extension(question: Object, url: str) -> tuple[str, Any] | None:
    return next((_value(one) for one in listed(question.get("extension")) if one.get("url") == url), None)


def _number(question: Object, url: str) -> int | None:
    found = _extension(question, url)
    return found[1] if found is not None and type(found[1]) is int else None
