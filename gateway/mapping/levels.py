"""How bad a thing is that was found in a record: the field is skipped, the record is held, or the batch is stopped.

As the manifest says (`onError`): for all issues by what they are about, and for single ones by their rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from gateway.issues import Issue
from gateway.mapping.ir import Program
from gateway.mapping.manifest import ErrorPolicy
from gateway.mapping.problems import Problem, did_you_mean

BAD = ("fatal", "error")
FIELDS = frozenset(
    (
        "ambiguous-hour",
        "as-of-missing",
        "as-of-not-valid",
        "code-not-in-value-set",
        "expression-failed",
        "key-missing",
        "several-values",
        "unknown-element",
        "unmapped-code",
        "value-not-valid",
    )
)
"""Issues about one field, which is left out."""
RULES = FIELDS | {
    "check-failed",
    "draft-without-identifier",
    "map-failed",
    "map-invalid",
    "map-too-costly",
    "plain-value-filled",
    "required-element-missing",
    "source-cardinality",
    "value-missing",
}
"""Of the issues that mapping itself finds; the maps' own are named after the rules that `log` them."""


def weighed(issues: Iterable[Issue], policy: ErrorPolicy) -> tuple[list[Issue], bool]:
    """The issues as the policy has them, and whether the record is to be passed over.

    What is skipped and could not be used leaves nothing of the record; what is held or stops the batch is an error.
    """
    found: list[Issue] = []
    passed_over = False
    for issue in issues:
        level = policy.rules.get(issue.rule)
        bad = issue.severity in BAD
        alone = level is not None and issue.rule in FIELDS
        if level is None:
            level = "skip" if not bad or policy.record == "skip" else "hold"
        if level == "skip":
            passed_over = passed_over or (bad and not alone)
            found.append(replace(issue, severity="warning") if bad else issue)
        else:
            found.append(issue if bad else replace(issue, severity="error"))
    # Where something else holds the record, it is held.
    return found, passed_over and not any(issue.severity in BAD for issue in found)


def stops(issues: Iterable[Issue], policy: ErrorPolicy) -> bool:
    """Whether a record with these issues ends the batch."""
    bad = [issue for issue in issues if issue.severity in BAD]
    return any(policy.rules.get(issue.rule, policy.record) == "stop" for issue in bad)


def stopped(where: str) -> Issue:
    """What is told of a message that was not read to its end."""
    text = (
        "The record there could not be used, and the package stops at the first such: what comes behind it was not "
        "tried. Mend the record or the map, and replay."
    )
    return Issue("error", "processing", "batch-stopped", text, where)


def unknown(policy: ErrorPolicy, programs: Iterable[Program], shown: str) -> Iterator[Problem]:
    """Rules that the manifest names and that nothing has."""
    known = RULES | {rule.name for program in programs for rule in program.rules if rule.name}
    for name in policy.rules:
        if name not in known:
            hint = did_you_mean(name, sorted(known)) or "name the rule of an issue, or of a rule with log"
            yield Problem(shown, 1, 1, f"onError.rules: nothing has the rule '{name}'", hint)
