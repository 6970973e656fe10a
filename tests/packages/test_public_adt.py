"""The public ADT messages through `hl7v2-adt`: nothing is lost, nothing is unexplained."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import formats
from gateway.issues import Issues
from gateway.mapping import Packages
from gateway.records import Source

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "../shared/data"

EXPLAINED = {
    "segments-not-carried": "NK1, AL1, DG1, IN1 … stay in the kept message; the README says so",
    "unit-local-id": "American ward names stand where a Swedish sender has its HSA-id",
    "unmapped-code": "codes outside HL7's tables (female, ff), TDD telephones, events without a status (A41, A45)",
    "merge-of-visits": "a merge of visits or accounts is taken as an update",
    "segment-not-ended": "the files of one collection end without a carriage return",
    "visit-without-number": "ADT_A01-04 has no visit number",
    "as-of-not-valid": "ADT_A34-01 has an event type where the time should be",
    "check-failed": "ADT_A40-05 merges two pairs of persons in one message",
}


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("folder", "messages", "made", "held"),
    [
        ("hl7v2-adt-siu-ref", 26, {"Patient": 28, "Encounter": 20}, []),
        ("hl7v2-linuxforhealth", 28, {"Patient": 33, "Encounter": 19}, ["ADT_A40-05.hl7"]),
    ],
)
def test_public_messages_become_persons_and_visits(
    folder: str, messages: int, made: dict[str, int], held: list[str]
) -> None:
    if not (CORPUS / folder).is_dir():
        pytest.skip(f"the public messages are not there: {folder}")
    package = Packages.shipped()["hl7v2-adt"]
    instance = package.manifest.instance
    assert instance is not None
    source = Source("pas", package.id, **instance.model_dump())
    drafts: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    refused = []
    files = sorted((CORPUS / folder).glob("ADT*.hl7"))
    for path in files:
        body = path.read_bytes()
        issues = Issues()
        [record] = formats.read(package.format, body, issues)
        result = package.apply(record, source, datetime(2025, 1, 1, tzinfo=UTC), body=body)
        assert not issues
        rules.update(issue.rule for issue in result.issues)
        drafts.update(draft.resource["resourceType"] for draft in result.drafts)
        if result.issues.bad:
            refused.append(path.name)
    assert len(files) == messages
    assert refused == held
    assert drafts == made
    assert rules.keys() <= EXPLAINED.keys()
