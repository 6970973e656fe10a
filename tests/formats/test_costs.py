"""However a message is spoilt, reading it is linear work: a small one cannot keep the gateway busy."""

from collections.abc import Callable
from datetime import UTC
from time import process_time

import pytest

from gateway import formats
from gateway.formats import Format
from gateway.issues import Issues
from gateway.mapping.primitives import CONVERT
from gateway.mapping.times import Unfit

SECONDS = 10.0
"""Many times what each takes; the work that is meant took from half a minute to hours."""

JSON = Format.of({"source": {"format": "json"}, "records": [{"name": "any", "at": "*"}]})
CSV = Format.of(
    {"source": {"format": "csv", "columns": ["a", "b"], "required": ["a"]}, "records": [{"name": "r", "at": "*"}]}
)


def read(form: Format, body: bytes) -> list[str]:
    issues = Issues()
    started = process_time()
    for _ in formats.read(form, body, issues):
        pass
    assert process_time() - started < SECONDS
    return [issue.rule for issue in issues]


@pytest.mark.parametrize("line", [b'{"a":\n', b'{"a":"\n', b"[\n", b"x\n", b'{"a":1,"a":2}\n'])
def test_lines_that_cannot_be_read(line: bytes) -> None:
    rules = read(JSON, b'{"a":1}\n' + line * 60_000)
    assert len(rules) <= 1001
    assert rules[-1:] in (["too-many-faults"], ["malformed-json"], [])


def test_records_that_are_not_taken() -> None:
    assert len(read(JSON, b"[" + b'{"a":1,"a":2},' * 60_000 + b"{}]")) == 1


@pytest.mark.parametrize("header", [b";".join(b"c%d" % n for n in range(60_000)), b"a;" * 60_000])
def test_a_file_whose_lines_were_joined(header: bytes) -> None:
    assert read(CSV, header + b"\n1") == ["too-many-columns"]


@pytest.mark.parametrize("spoilt", [lambda: " " * 500_000 + "!", lambda: "a b" * 200_000 + "!"])
def test_what_is_no_base64(spoilt: Callable[[], str]) -> None:
    started = process_time()
    with pytest.raises(Unfit):
        CONVERT["base64Binary"](f"A{spoilt()}", UTC, lambda: None)
    assert process_time() - started < SECONDS
