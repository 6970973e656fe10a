"""How long reading a record takes, by format: `python bench/formats.py` (synthetic messages, best of five rounds)."""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable

from gateway import formats
from gateway.formats import Format, Node
from gateway.issues import Issues

NS = "urn:riv:clinicalprocess:logistics:logistics:3"
XML = f"""<?xml version="1.0" encoding="UTF-8"?>
<r:GetCareContactsResponse xmlns:r="{NS}" xmlns:l="{NS}">
<r:careContact><l:careContactHeader><l:documentId>contact-0001</l:documentId>
<l:sourceSystemHSAId>SE2321000131-S000000010001</l:sourceSystemHSAId>
<l:patientId><l:id>191212121212</l:id><l:type>1.2.752.129.2.1.3.1</l:type></l:patientId>
<l:accountableHealthcareProfessional>
 <l:authorTime>20250310104500</l:authorTime>
 <l:healthcareProfessionalHSAId>SE2321000131-P000000000011</l:healthcareProfessionalHSAId>
 <l:healthcareProfessionalName>Anna Testsson</l:healthcareProfessionalName>
 <l:healthcareProfessionalRoleCode><l:code>205010</l:code><l:codeSystem>1.2.752.129.2.2.1.4</l:codeSystem>
  <l:displayName>Sjuksköterska (testvärde)</l:displayName></l:healthcareProfessionalRoleCode>
 <l:healthcareProfessionalOrgUnit><l:orgUnitHSAId>SE2321000131-E000000000021</l:orgUnitHSAId>
  <l:orgUnitName>MÄVA Testsjukhuset</l:orgUnitName></l:healthcareProfessionalOrgUnit>
 <l:healthcareProfessionalCareUnitHSAId>SE2321000131-E000000000020</l:healthcareProfessionalCareUnitHSAId>
 <l:healthcareProfessionalCareGiverHSAId>SE2321000131-E000000000001</l:healthcareProfessionalCareGiverHSAId>
</l:accountableHealthcareProfessional>
<l:approvedForPatient>true</l:approvedForPatient></l:careContactHeader>
<l:careContactBody>
 <l:careContactCode><l:code>3</l:code><l:codeSystem>1.2.752.129.2.2.2.25</l:codeSystem></l:careContactCode>
 <l:careContactReason>Försämrad hjärtsvikt</l:careContactReason>
 <l:careContactOrgUnit><l:orgUnitHSAId>SE2321000131-E000000000021</l:orgUnitHSAId>
  <l:orgUnitName>MÄVA Testsjukhuset</l:orgUnitName></l:careContactOrgUnit>
 <l:careContactTimePeriod><l:start>20250308141500</l:start></l:careContactTimePeriod>
 <l:careContactStatus><l:code>53651000052107</l:code><l:codeSystem>1.2.752.116.2.1.1</l:codeSystem>
  <l:displayName>pågående vårdkontakt</l:displayName></l:careContactStatus>
</l:careContactBody></r:careContact>
<r:result><l:resultCode>OK</l:resultCode><l:logId>3f2b1b1e-6a2e-4d8e-9f1c-0c7f9a3f0002</l:logId></r:result>
</r:GetCareContactsResponse>""".encode()
ER7 = "\r".join(
    [
        r"MSH|^~\&|PAS|NORTH|GW|WEST|20250310104500||ADT^A01^ADT_A01|MSG00001|P|2.5|||||SWE|8859/1|SV",
        "EVN|A01|20250310104500|||SE2321000131-P000000000011^Testsson^Anna|20250310104000",
        "PID|1||191212121212^^^&1.2.752.129.2.1.3.1&ISO^NNSWE~4711^^^NORTH&1.2.3.4&ISO^PI||Tolvansson^Tolvan^^^^^L||"
        "19121212|M|||Gatan 1^^Tanumshede^^45731^SE||^PRN^PH^^^^0525123456~^NET^Internet^tolvan@example.org",
        "PD1||||",
        "NK1|1|Tolvansson^Tove|SPO|||",
        r"PV1|1|I|SE2321000131-E000000000021^12^3^NORTH&1.2&ISO^^^^^MÄVA\T\ward|U|||SE2321000131-P000000000012^Läkare"
        "^Lars|||MED||||||||VIS|98765^^^NORTH&1.2.3.5&ISO^VN|||||||||||||||||||||||||20250310103000",
        r"PV2|||I50^Hjärtsvikt\.br\akut",
        'AL1|1||""|',
        r"ZSE|1|VGR^^^x&y|M\E\N",
        "",
    ]
).encode("latin-1")
CSV = (
    "person_id;type;municipality;unit;provider;record;id;basis;service;text;scope;start;end;status;role;updated\n"
    "191212121212;1;1435;SE2120001330-E1;SE2120001330-P1;BESOK;v1;HSL;HSJV;Såromläggning;1,5;2025-03-10 08:00;"
    "2025-03-10 09:00;planned;nurse;2025-03-09 12:00\n"
).encode()
JSON = json.dumps(
    {
        "type": "contact",
        "time": "2025-03-10T10:45:00+01:00",
        "sender": {"hsaId": "SE2321000131-T9003", "name": "1177 på telefon"},
        "contact": {
            "id": "c-1",
            "person": {"id": "191212121212"},
            "reason": "Ont i bröstet",
            "advice": ["Vänta", "Ring"],
        },
    }
).encode()
FHIR = json.dumps(
    {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"system": "http://electronichealth.se/identifier/personnummer", "value": "191212121212"}],
        "name": [{"use": "official", "family": "Tolvansson", "given": ["Tolvan"]}],
        "address": [{"line": ["Gatan 1"], "city": "Tanumshede", "postalCode": "45731"}],
        "birthDate": "1912-12-12",
        "gender": "male",
    }
).encode()


def whole(node: Node) -> None:
    """Look into every part that is not a value, as the greediest map would."""
    for nodes in node.kids.values():
        for kid in nodes:
            if kid.value is None:
                whole(kid)


def measure(run: Callable[[], object], records: int = 1) -> float:
    """Microseconds a record."""
    number = max(1, 2000 // records)
    return min(timeit.repeat(run, number=number, repeat=5)) / number / records * 1e6


def bundle(entries: int) -> bytes:
    """On one line, as servers write it: the time must grow no faster than the entries."""
    entry = b'{"fullUrl":"https://fhir.example/Patient/p1","resource":' + FHIR + b"}"
    return b'{"resourceType":"Bundle","type":"searchset","entry":[' + b",".join([entry] * entries) + b"]}"


def rows() -> list[tuple[str, Format, bytes, int]]:
    at = {"xml": f"{{{NS}}}careContact", "er7": "ADT^*"}

    def form(kind: str, **options: str) -> Format:
        return Format.of({"source": {"format": kind, **options}, "records": [{"name": "r", "at": at.get(kind, "*")}]})

    start, end = XML.index(b"<r:careContact>"), XML.index(b"</r:careContact>") + len(b"</r:careContact>")
    header, row = CSV.split(b"\n")[:2]
    return [
        ("xml, one record", form("xml"), XML, 1),
        ("xml, 200 records", form("xml"), XML[:start] + XML[start:end] * 200 + XML[end:], 200),
        ("er7, one message", form("er7"), ER7, 1),
        ("er7, 200 messages", form("er7"), ER7 * 200, 200),
        ("csv, 200 rows of 16 cells", form("csv", delimiter=";"), header + b"\n" + (row + b"\n") * 200, 200),
        ("json, one object", form("json", discriminator="type"), JSON, 1),
        ("json, 200 lines", form("json", discriminator="type"), (JSON + b"\n") * 200, 200),
        ("fhir, one resource", form("fhir"), FHIR, 1),
        ("fhir, bundle of 1,000", form("fhir"), bundle(1000), 1000),
        ("fhir, bundle of 10,000", form("fhir"), bundle(10_000), 10_000),
    ]


def main() -> None:
    print(f"{'message':28}{'bytes/record':>14}{'read µs':>10}{'and split µs':>14}")
    for name, form, body, count in rows():
        read = measure(lambda f=form, b=body: [None for _ in formats.read(f, b, Issues())], count)
        split = measure(lambda f=form, b=body: [whole(r.node) for r in formats.read(f, b, Issues())], count)
        print(f"{name:28}{len(body) // count:>14}{read:>10.1f}{split:>14.1f}")


if __name__ == "__main__":
    main()
