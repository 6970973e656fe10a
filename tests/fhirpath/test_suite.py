"""HL7's FHIRPath suite, every case, as a ratchet: a case that passes once has to pass for ever."""

from __future__ import annotations

import pytest

from gateway.definitions import load
from gateway.fhirpath import Element, Environment, FHIRPathError, compile
from tests.fhirpath import suite

# What fails, and why we leave it so: a boundary bounds the value, which is the text of the specification ("the greatest
# possible value of the input to the specified precision") and what the suite's 26 other cases of decimals hold.
ABOVE = "0.0034 may stand for up to 0.00345: no 0.0 is above that, 0.1 is. The suite cuts the digits off."
BELOW = "-0.0034 may stand for down to -0.00345: no 0.0 is below that, -0.1 is. The suite cuts the digits off."
NEGATED = "A sign binds weaker than a call: this is the case before with a minus in front."
KNOWN = {
    "LowBoundary/LowBoundaryDecimal15": BELOW,
    "HighBoundary/HighBoundaryDecimal15": ABOVE,
    "HighBoundary/HighBoundaryDecimal16": NEGATED,
}

pytestmark = pytest.mark.corpus

if not suite.CASES.exists():
    pytest.skip("HL7's FHIRPath cases are not in ../shared/data/fhir-test-cases.", allow_module_level=True)


def test_every_case_but_the_known_ones_passes() -> None:
    wrong = {case.id: problem for case in suite.cases() if (problem := suite.run(case)) is not None}
    assert wrong.keys() == KNOWN.keys(), wrong


def test_typed_and_boxed_code_agree_on_every_case() -> None:
    """The fast code for JSON of a known type, and the code for items that know their type."""
    environment = Environment(now=suite.NOW)
    for case in suite.cases():
        focus = suite.resource(case.input)
        try:
            path = compile(case.expression, focus["resourceType"], load())
        except FHIRPathError:
            continue
        answers = []
        for given in (focus, Element(focus, focus["resourceType"])):
            try:
                answers.append([suite.shown(value) for value in path(given, environment)])
            except FHIRPathError as problem:
                answers.append([problem.problems[0].text])
        assert answers[0] == answers[1], case.id
