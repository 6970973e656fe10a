"""The official RIV-TA test suites and the validated messages: what they become, and that nothing is unexplained."""

import pytest
from lxml import etree

from tests.packages import rivta

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not rivta.SAMPLES.is_dir(), reason="the public RIV-TA samples are not at ../shared/data"),
]


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> rivta.Result:
    return rivta.run(rivta.suite(), f"sqlite:///{tmp_path_factory.mktemp('suite')}/suite.db")


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> rivta.Result:
    return rivta.run(rivta.validated(), f"sqlite:///{tmp_path_factory.mktemp('validated')}/validated.db")


def test_every_placeholder_of_the_templates_is_in_the_table() -> None:
    assert all(b"${" not in template.filled for template in rivta.templates())


def test_every_record_of_the_templates_is_done_or_held_for_a_reason(official: rivta.Result) -> None:
    assert official.items == {
        ("careContact3", "done"): 11,
        ("carePlan", "done"): 5,
        ("careService", "done"): 5,
        ("request", "done"): 1,
        ("request", "held"): 2,  # every value is `?`
        ("originalRequest", "done"): 1,
        ("originalRequest", "held"): 2,
        ("requestConfirmation", "done"): 1,
        ("requestConfirmation", "skipped"): 2,
        ("requestOutcome", "done"): 1,
        ("requestOutcome", "skipped"): 2,
        ("requestStatus", "held"): 1,  # its status is the word `code`
    }


def test_the_templates_become_encounters_plans_and_tasks(official: rivta.Result) -> None:
    agreed = official.resources
    assert {name: agreed[name] for name in ("Encounter", "CarePlan", "Task", "ServiceRequest")} == {
        "Encounter": 11,
        "CarePlan": 7,
        "Task": 5,
        "ServiceRequest": 1,
    }


def test_no_issue_of_the_templates_is_unexplained(official: rivta.Result) -> None:
    assert {rule for _, rule in official.issues} <= rivta.EXPLAINED.keys()


def test_a_message_is_held_only_where_its_sender_failed(official: rivta.Result) -> None:
    held = [(name, rules) for _, name, state, rules in official.messages if state == "held"]
    assert all(rules.keys() & {"soap-fault", "rivta-error", "no-known-record"} for _, rules in held)
    assert len(held) == 9


def test_the_validated_messages_go_through_without_an_issue(validated: rivta.Result) -> None:
    assert not validated.issues
    assert validated.items == {("careContact3", "done"): 1, ("carePlan", "done"): 1}
    assert {name: validated.resources[name] for name in ("Encounter", "CarePlan", "Patient")} == {
        "Encounter": 1,
        "CarePlan": 1,
        "Patient": 1,
    }


LOGISTICS = "clinicalprocess_logistics_logistics_{}/interactions/{}Interaction/{}Responder_{}.xsd"
REQUEST = "clinicalprocess_activity_request_1.0/interactions/{0}Interaction/{0}Responder_1.0.xsd"
CONTACTS_3 = LOGISTICS.format("3.0.13", "GetCareContacts", "GetCareContacts", "3.0")
ANNOTATED = "3.0_RC3_annotated_incl_GetCareServices"


@pytest.mark.parametrize(
    ("case", "schema"),
    [
        ("rivta-logistics/mava-admission", CONTACTS_3),
        ("rivta-logistics/contact-3-statuses", CONTACTS_3),
        ("rivta-logistics/municipal-home-visit", CONTACTS_3),
        ("rivta-logistics/contact-2-integers", LOGISTICS.format("2.0.1", "GetCareContacts", "GetCareContacts", "2.0")),
        ("rivta-logistics/care-services", LOGISTICS.format(ANNOTATED, "GetCareServices", "GetCareServices", "2.0")),
        ("rivta-request/new-referral", REQUEST.format("ProcessRequest")),
        ("rivta-request/forwarded-referral", REQUEST.format("ProcessRequest")),
        ("rivta-request/changed-referral", REQUEST.format("ProcessRequest")),
        ("rivta-request/confirmed", REQUEST.format("ProcessRequestConfirmation")),
        ("rivta-request/completion-asked", REQUEST.format("ProcessRequestConfirmation")),
        ("rivta-request/sent-on", REQUEST.format("ProcessRequestConfirmation")),
        ("rivta-request/answered", REQUEST.format("ProcessRequestOutcome")),
        ("rivta-request/statuses", REQUEST.format("GetRequestStatus")),
    ],
)
def test_our_own_messages_are_what_the_official_schema_allows(case: str, schema: str) -> None:
    package, name = case.split("/")
    root = etree.parse(rivta.ROOT / "mappings" / package / "cases" / name / "source.xml").getroot()
    message = root if root.tag.endswith("Response") else root[-1][0]
    etree.XMLSchema(etree.parse(rivta.SAMPLES / "../rivta-xsd" / schema)).assertValid(message)
