"""The rules that are served are the rules that are kept: each profile is a ConceptMap, held to its tables."""

from __future__ import annotations

import json

import pytest

from gateway.coordination.negotiation import PROFILES, Move, Rules
from gateway.coordination.negotiation.profile import profile
from gateway.coordination.negotiation.published import STATUS, WORDS, code_system, concept_map
from gateway.definitions.shipped import folder


@pytest.mark.parametrize("name", PROFILES)
def test_what_is_served_is_written_from_the_tables(name: str) -> None:
    shipped = json.loads((folder("conformance") / f"ConceptMap-task-rules-{name}.json").read_text())
    assert shipped == json.loads(json.dumps(concept_map(profile(name)))), "run scripts/build-task-rules"


def test_every_word_of_the_rules_has_its_concept() -> None:
    shipped = json.loads((folder("conformance") / "CodeSystem-task-rules.json").read_text())
    assert shipped == json.loads(json.dumps(code_system())), "run scripts/build-task-rules"
    known = {one["code"] for one in shipped["concept"]}
    used = {
        depends["value"]
        for name in PROFILES
        for group in concept_map(profile(name))["group"]
        for element in group["element"]
        for target in element["target"]
        for depends in target.get("dependsOn", ())
    }
    assert used <= known
    assert len(known) == len(shipped["concept"])


@pytest.mark.parametrize("name", PROFILES)
def test_a_program_can_read_from_it_who_may_make_which_move(name: str) -> None:
    _, moves, _ = concept_map(profile(name))["group"]
    assert (moves["source"], moves["target"]) == (STATUS, STATUS)
    read = set()
    for element in moves["element"]:
        for target in element["target"]:
            depends = {one["property"]: one["value"] for one in target.get("dependsOn", ())}
            if f"{WORDS}#act" not in depends:
                read.add((element["code"], target["code"], depends[f"{WORDS}#role"]))
    rows = Rules.named(name).profile.rows
    assert read == {
        (row.start, row.to, str(role))
        for row in rows
        if row.move is Move.COMMAND and row.start != "new"
        for role in row.by
    }
