"""A state machine that talks to a server over HTTP and holds each answer to the model of the specification.

Pages are followed while others write: what did not change meanwhile appears exactly once. No answer is a 5xx.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.model.specification import Json, Key, Specification, bare

JSON_PATCH = {"content-type": "application/json-patch+json"}
FAMILIES = ("Testberg", "Provsson", "Åman")
GENDERS = ("female", "male", "other", "unknown")
BORN = ("1941-07-14", "1957-03", "2000", "2000-12-31")
STATUSES = ("requested", "accepted", "in-progress", "completed")
VALUES = ("a", "b", "c", "d")

picks = st.integers(0, 1 << 16)
patients = st.fixed_dictionaries(
    {"family": st.sampled_from(FAMILIES), "value": st.sampled_from(VALUES)},
    optional={
        "gender": st.sampled_from(GENDERS),
        "birthDate": st.sampled_from(BORN),
        "active": st.booleans(),
    },
)


class Machine(RuleBasedStateMachine):
    """One series of requests. `base` and `count` are set by whoever runs it."""

    client: httpx.Client
    requests = 0

    def __init__(self) -> None:
        super().__init__()
        self.run = uuid.uuid4().hex[:12]
        self.model = Specification(f"http://model.example/{self.run}")
        self.family = f"x{self.run}"
        self.paging: tuple[str, set[Key], set[Key], list[str]] | None = None

    # --- how it talks ----------------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = {name: value for name, value in more.pop("headers", {}).items() if value is not None}
        answer = self.client.request(method, path, json=body, headers=headers, **more)
        Machine.requests += 1
        assert answer.status_code < 500, (method, path, answer.status_code, answer.text)
        if answer.status_code >= 400:
            outcome = answer.json()
            assert outcome["resourceType"] == "OperationOutcome"
            assert outcome["issue"][0]["details"]["coding"][0]["code"]
        return answer

    def patient(self, made: Json) -> Json:
        """A Patient of this series: its family name begins with the series's own."""
        body: Json = {
            "resourceType": "Patient",
            "identifier": [{"system": self.model.system, "value": made["value"]}],
            "name": [{"family": f"{self.family}{made['family']}"}],
        }
        return body | {name: made[name] for name in ("gender", "birthDate", "active") if name in made}

    def task(self, status: str, patient: str | None, value: str) -> Json:
        body: Json = {
            "resourceType": "Task",
            "identifier": [{"system": self.model.system, "value": value}],
            "status": status,
            "intent": "order",
        }
        return body | ({"for": {"reference": f"Patient/{patient}"}} if patient else {})

    def some(self, pick: int, *, living: bool = False) -> Key | None:
        keys = list(self.model.versions)  # In the order of their making: a series that is run again goes the same way.
        if living:
            keys = [key for key in keys if self.model.read_status(key) == 200]
        return keys[pick % len(keys)] if keys else None

    def stored(self, answer: httpx.Response, key: Key, method: str, sent: Json) -> None:
        """A write that was done: what the answer says of it, and what the model keeps."""
        resource = answer.json()
        version = answer.headers["etag"].removeprefix('W/"').removesuffix('"')
        assert (resource["id"], resource["meta"]["versionId"]) == (key[1], version)
        assert bare(resource) == bare(sent), (resource, sent)
        assert answer.headers["location"].endswith(f"/fhir/{key[0]}/{key[1]}/_history/{version}")
        self.model.write(key, method, version, bare(sent))
        self.touched(key)

    def touched(self, key: Key) -> None:
        if self.paging is not None:
            self.paging[2].add(key)

    # --- interactions ----------------------------------------------------------------------------------------------

    @rule(made=patients)
    def create(self, made: Json) -> None:
        body = self.patient(made)
        answer = self.ask("POST", "/fhir/Patient", body)
        assert answer.status_code == 201
        self.stored(answer, ("Patient", answer.json()["id"]), "POST", body)

    @rule(status=st.sampled_from(STATUSES), pick=picks, value=st.sampled_from(VALUES), about=st.booleans())
    def create_task(self, status: str, pick: int, value: str, about: bool) -> None:
        found = list(self.model.living("Patient"))
        body = self.task(status, found[pick % len(found)] if found and about else None, value)
        answer = self.ask("POST", "/fhir/Task", body)
        assert answer.status_code == 201
        self.stored(answer, ("Task", answer.json()["id"]), "POST", body)

    @rule(made=patients)
    def create_on_condition(self, made: Json) -> None:
        held, body = self.model.holding("Patient", made["value"]), self.patient(made)
        condition = f"identifier={self.model.system}|{made['value']}"
        answer = self.ask("POST", "/fhir/Patient", body, headers={"if-none-exist": condition})
        assert answer.status_code == {0: 201, 1: 200}.get(len(held), 412), held
        if not held:
            self.stored(answer, ("Patient", answer.json()["id"]), "POST", body)

    @rule(pick=picks, made=patients, match=st.sampled_from(("none", "current", "older", "other")), new=st.booleans())
    def update(self, pick: int, made: Json, match: str, new: bool) -> None:
        known = [key for key in self.model.versions if key[0] == "Patient"]
        key = ("Patient", f"{self.run}-{pick % 5}") if new or not known else known[pick % len(known)]
        rows = self.model.versions.get(key, [])
        named = {"current": rows[-1].id, "older": rows[0].id} if rows else {}
        version = "other" if match == "other" else named.get(match)
        body = {**self.patient(made), "id": key[1]}
        answer = self.ask(
            "PUT", f"/fhir/Patient/{key[1]}", body, headers={"if-match": f'W/"{version}"' if version else None}
        )
        assert answer.status_code == self.model.update_status(key, version)
        if answer.is_success:
            self.stored(answer, key, "PUT", body)

    @rule(made=patients)
    def update_on_condition(self, made: Json) -> None:
        held, body = self.model.holding("Patient", made["value"]), self.patient(made)
        answer = self.ask("PUT", "/fhir/Patient", body, params={"identifier": f"{self.model.system}|{made['value']}"})
        assert answer.status_code == {0: 201, 1: 200}.get(len(held), 412), held
        if answer.is_success:
            key = ("Patient", held[0] if held else answer.json()["id"])
            self.stored(answer, key, "PUT" if held else "POST", body)

    @rule(pick=picks, gender=st.sampled_from(GENDERS), right=st.booleans())
    def patch(self, pick: int, gender: str, right: bool) -> None:
        key = self.some(pick)
        if key is None or key[0] != "Patient":
            return
        change = [{"op": "add", "path": "/gender" if right else "/nothing/there", "value": gender}]
        answer = self.ask("PATCH", f"/fhir/Patient/{key[1]}", change, headers=JSON_PATCH)
        status = self.model.read_status(key)
        if status != 200:
            assert answer.status_code == status
        elif not right:
            assert answer.status_code == 422, answer.text
        else:
            assert answer.status_code == 200
            current = self.model.current(key)
            assert current is not None and current.body is not None
            self.stored(answer, key, "PATCH", {**current.body, "gender": gender})

    @rule(pick=picks, match=st.sampled_from(("none", "current", "other")))
    def delete(self, pick: int, match: str) -> None:
        key = self.some(pick)
        if key is None:
            return
        current = self.model.current(key)
        assert current is not None
        version = {"current": current.id, "other": "other"}.get(match)
        answer = self.ask(
            "DELETE", f"/fhir/{key[0]}/{key[1]}", headers={"if-match": f'W/"{version}"' if version else None}
        )
        if match == "other":
            assert answer.status_code == 412
            return
        assert answer.is_success
        self.gone(key, answer)

    def gone(self, key: Key, answer: httpx.Response) -> None:
        if self.model.read_status(key) == 200:
            self.model.write(key, "DELETE", self.latest(key), None)
            self.touched(key)

    def latest(self, key: Key) -> str:
        """The version that says that a resource is gone, as its history tells it."""
        history = self.ask("GET", f"/fhir/{key[0]}/{key[1]}/_history").json()
        etag: str = history["entry"][0]["response"]["etag"]
        return etag.removeprefix('W/"').removesuffix('"')

    @rule(value=st.sampled_from(VALUES))
    def delete_on_condition(self, value: str) -> None:
        held = self.model.holding("Patient", value)
        answer = self.ask("DELETE", "/fhir/Patient", params={"identifier": f"{self.model.system}|{value}"})
        assert answer.is_success, answer.text
        for id in held:
            self.gone(("Patient", id), answer)

    @rule(pick=picks)
    def read(self, pick: int) -> None:
        key = self.some(pick)
        if key is None:
            assert self.ask("GET", f"/fhir/Patient/{self.run}-never").status_code == 404
            return
        answer = self.ask("GET", f"/fhir/{key[0]}/{key[1]}")
        assert answer.status_code == self.model.read_status(key)
        if answer.is_success:
            current = self.model.current(key)
            assert current is not None
            assert bare(answer.json()) == current.body
            assert answer.headers["etag"] == f'W/"{current.id}"'
            again = self.ask("GET", f"/fhir/{key[0]}/{key[1]}", headers={"if-none-match": f'W/"{current.id}"'})
            assert (again.status_code, again.content) == (304, b"")

    @rule(pick=picks, place=picks)
    def vread(self, pick: int, place: int) -> None:
        key = self.some(pick)
        if key is None:
            return
        rows = self.model.versions[key]
        version = rows[place % len(rows)]
        answer = self.ask("GET", f"/fhir/{key[0]}/{key[1]}/_history/{version.id}")
        assert answer.status_code == (410 if version.body is None else 200)
        if version.body is not None:
            assert bare(answer.json()) == version.body
        assert self.ask("GET", f"/fhir/{key[0]}/{key[1]}/_history/none").status_code == 404

    @rule(pick=picks)
    def history(self, pick: int) -> None:
        key = self.some(pick)
        if key is None:
            return
        answer = self.ask("GET", f"/fhir/{key[0]}/{key[1]}/_history", params={"_count": 1000}).json()
        rows = self.model.versions[key][::-1]
        assert answer["total"] == len(rows)
        told = [(one["request"]["method"], one.get("resource") and bare(one["resource"])) for one in answer["entry"]]
        assert [body for _, body in told] == [row.body for row in rows]
        assert [method == "DELETE" for method, _ in told] == [row.body is None for row in rows]
        times = [one["response"]["lastModified"] for one in answer["entry"]]
        assert times == sorted(times, reverse=True)

    # --- search ----------------------------------------------------------------------------------------------------

    def found(self, resource_type: str, params: Json) -> Json:
        mine = {"identifier": f"{self.model.system}|"}
        bundle: Json = self.ask("GET", f"/fhir/{resource_type}", params={**mine, "_count": 1000, **params}).json()
        assert bundle["type"] == "searchset"
        return bundle

    def agrees(self, resource_type: str, params: Json, meets: Callable[[Json], bool]) -> None:
        bundle = self.found(resource_type, params)
        matches = [one["resource"] for one in bundle.get("entry", ()) if one["search"]["mode"] == "match"]
        ids = [one["id"] for one in matches]
        assert len(ids) == len(set(ids)) == bundle["total"]
        assert set(ids) == self.model.search(resource_type, meets), params
        living = self.model.living(resource_type)
        assert all(bare(one) == living[one["id"]] for one in matches)

    @rule(genders=st.sets(st.sampled_from(GENDERS), min_size=1), absent=st.booleans())
    def search_by_gender(self, genders: set[str], absent: bool) -> None:
        value = ",".join(sorted(genders))
        if absent:
            self.agrees("Patient", {"gender:not": value}, lambda body: body.get("gender") not in genders)
        else:
            self.agrees("Patient", {"gender": value}, lambda body: body.get("gender") in genders)

    @rule(family=st.sampled_from(FAMILIES), size=st.integers(1, 8))
    def search_by_name(self, family: str, size: int) -> None:
        """Strings match from their beginning, whatever the case and the accents."""
        plain = family.replace("Å", "a")
        begins = f"{self.family}{plain[:size]}".upper()
        self.agrees(
            "Patient",
            {"family": begins},
            lambda body: body["name"][0]["family"].replace("Å", "a").lower().startswith(begins.lower()),
        )

    @rule(prefix=st.sampled_from(("eq", "lt", "ge", "sa", "eb")), year=st.sampled_from((1941, 1957, 2000, 2001)))
    def search_by_birth(self, prefix: str, year: int) -> None:
        """Against a whole year, and no value of a month or a year crosses its bounds."""

        def meets(body: Json) -> bool:
            if "birthDate" not in body:
                return False
            born = int(body["birthDate"][:4])
            return {"eq": born == year, "lt": born < year, "ge": born >= year, "sa": born > year, "eb": born < year}[
                prefix
            ]

        self.agrees("Patient", {"birthdate": f"{prefix}{year}"}, meets)

    @rule(missing=st.booleans(), name=st.sampled_from((("birthdate", "birthDate"), ("gender", "gender"))))
    def search_by_missing(self, missing: bool, name: tuple[str, str]) -> None:
        value = str(missing).lower()
        self.agrees("Patient", {f"{name[0]}:missing": value}, lambda body: (name[1] not in body) is missing)

    @rule(pick=picks, status=st.sampled_from(STATUSES))
    def search_tasks(self, pick: int, status: str) -> None:
        patients = [id for kind, id in self.model.versions if kind == "Patient"]
        if not patients:
            return
        reference = f"Patient/{patients[pick % len(patients)]}"
        self.agrees(
            "Task",
            {"patient": reference, "status": f"{status},cancelled"},
            lambda body: body.get("for", {}).get("reference") == reference and body["status"] == status,
        )

    @rule(gender=st.sampled_from(GENDERS))
    def search_along_references(self, gender: str) -> None:
        living = self.model.living("Patient")

        def of(body: Json) -> Json:
            return living.get(body.get("for", {}).get("reference", "").removeprefix("Patient/"), {})

        self.agrees("Task", {"patient.gender": gender}, lambda body: of(body).get("gender") == gender)
        having = {
            one["for"]["reference"].removeprefix("Patient/")
            for one in self.model.living("Task").values()
            if one["status"] == "requested" and "for" in one
        }
        bundle = self.found("Patient", {"_has:Task:patient:status": "requested"})
        assert {one["resource"]["id"] for one in bundle.get("entry", ())} == having & living.keys()

    @rule()
    def search_with_what_is_referred_to(self) -> None:
        bundle = self.found("Task", {"_include": "Task:patient"})
        modes: dict[str, set[str]] = {"match": set(), "include": set()}
        for one in bundle.get("entry", ()):
            modes[one["search"]["mode"]].add(one["resource"]["id"])
        living = self.model.living("Patient")
        tasks = self.model.living("Task").values()
        referred = {one["for"]["reference"].removeprefix("Patient/") for one in tasks if "for" in one}
        assert modes == {"match": set(self.model.living("Task")), "include": referred & living.keys()}

    # --- pages while others write ----------------------------------------------------------------------------------

    @precondition(lambda self: self.paging is None and len(self.model.living("Patient")) > 2)
    @rule(sort=st.sampled_from((None, "_id", "-birthdate", "family,_id")))
    def begin_paging(self, sort: str | None) -> None:
        bundle = self.found("Patient", {"_count": 2} | ({"_sort": sort} if sort else {}))
        there = {("Patient", id) for id in self.model.living("Patient")}
        assert bundle["total"] == len(there)
        self.paging = (self.next_of(bundle), there, set(), self.ids(bundle))

    @precondition(lambda self: self.paging is not None)
    @rule()
    def turn_a_page(self) -> None:
        assert self.paging is not None
        following, there, touched, seen = self.paging
        if following:
            bundle = self.ask("GET", following).json()
            self.paging = (self.next_of(bundle), there, touched, [*seen, *self.ids(bundle)])
            return
        unchanged = {id for kind, id in there - touched}
        assert unchanged <= set(seen), "what did not change was on no page"
        assert all(seen.count(id) == 1 for id in unchanged), "what did not change was on two pages"
        self.paging = None

    @staticmethod
    def next_of(bundle: Json) -> str:
        return next((str(one["url"]) for one in bundle["link"] if one["relation"] == "next"), "")

    @staticmethod
    def ids(bundle: Json) -> list[str]:
        return [one["resource"]["id"] for one in bundle.get("entry", ())]

    # --- several at once -------------------------------------------------------------------------------------------

    @rule(made=patients, status=st.sampled_from(STATUSES), pick=picks, right=st.booleans(), wrong_first=st.booleans())
    def transaction(self, made: Json, status: str, pick: int, right: bool, wrong_first: bool) -> None:
        """A Patient, a Task that refers to it, an update and a deletion of others: all of it, or nothing."""
        full_url = f"urn:uuid:{uuid.uuid4()}"
        body = self.patient(made)
        task = self.task(status, None, "t") | {"for": {"reference": full_url}}
        entries: list[Json] = [
            {"resource": task, "request": {"method": "POST", "url": "Task"}},
            {"fullUrl": full_url, "resource": body, "request": {"method": "POST", "url": "Patient"}},
        ]
        changed = self.some(pick, living=True)
        if changed is not None:
            entries.append({"request": {"method": "DELETE", "url": f"{changed[0]}/{changed[1]}"}})
        if not right:
            wrong = {"resource": {"resourceType": "Task"}, "request": {"method": "POST", "url": "Task"}}
            entries.insert(0 if wrong_first else len(entries), wrong)
        answer = self.ask("POST", "/fhir", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
        if not right:
            assert answer.status_code in (400, 422)
            place = 0 if wrong_first else len(entries) - 1
            expressions = [e for issue in answer.json()["issue"] for e in issue.get("expression", ())]
            assert any(one.startswith(f"Bundle.entry[{place}]") for one in expressions), answer.text
            return
        assert answer.status_code == 200, answer.text
        bundle = answer.json()
        assert bundle["type"] == "transaction-response"
        responses = [one["response"] for one in bundle["entry"]]
        assert [one["status"][:3] for one in responses[:2]] == ["201", "201"]
        places = [one["location"].split("/fhir/")[-1].split("/") for one in responses[:2]]
        (_, task_id, *_), (_, patient_id, *_) = places
        task["for"] = {"reference": f"Patient/{patient_id}"}
        for key, place, sent in ((("Task", task_id), places[0], task), (("Patient", patient_id), places[1], body)):
            self.model.write(key, "POST", place[3], bare(sent))
            self.touched(key)
            read = self.ask("GET", f"/fhir/{key[0]}/{key[1]}").json()
            assert bare(read) == bare(sent), (read, sent)
        if changed is not None:
            assert responses[2]["status"][:3] in ("200", "204")
            self.model.write(changed, "DELETE", self.latest(changed), None)
            self.touched(changed)

    @invariant()
    def nothing_is_lost(self) -> None:
        """Told by the model alone: a version, once made, stays."""
        assert all(rows for rows in self.model.versions.values())
