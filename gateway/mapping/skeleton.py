"""`samverka map new`: a package to begin with, from a sample: the manifest, and a map with a line for each element.

What the sample holds stands there as comments, with its places and never with its values; so does what R4 demands. The
package compiles as it is. The header of a CSV file becomes a model too, so that a misspelt column does not compile.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePath

import orjson
from lxml import etree

from gateway import formats
from gateway.definitions import CANONICAL, Definitions, ElementDef
from gateway.errors import NotFound, Unprocessable
from gateway.formats import Format, Node, Record, RecordKind
from gateway.issues import Issues
from gateway.mapping import csvmodel
from gateway.mapping.logical import ModelOf, bundle
from gateway.mapping.primitives import CONVERT
from gateway.mapping.printer import string, word
from gateway.mapping.problems import did_you_mean

_KINDS = {".xml": "xml", ".csv": "csv", ".json": "json", ".hl7": "er7", ".er7": "er7"}
_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_DELIMITERS = ";,\t|"


@dataclass(frozen=True, slots=True)
class Leaf:
    """An element of the sample that holds a value: its path, how often, and where first."""

    path: tuple[str, ...]
    count: int
    where: str

    @property
    def name(self) -> str:
        return self.path[-1]


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A package's first files, by name."""

    manifest: str
    map: str
    map_name: str
    model: str = ""

    @property
    def files(self) -> dict[str, str]:
        """By name within the package's folder."""
        named = {"map.yaml": self.manifest, f"{self.map_name}.fml": self.map, "models/row.json": self.model}
        return {name: content for name, content in named.items() if content}


def skeleton(sample: bytes, file: str, resource: str, definitions: Definitions, *, package: str) -> Skeleton:
    """The first files of a package that makes such resources of such samples."""
    known = definitions.types.get(resource)
    if known is None or known.kind != "resource" or known.abstract:
        names = [name for name, one in definitions.types.items() if one.kind == "resource"]
        hint = did_you_mean(resource, names) or "write a resource type, such as Encounter"
        raise NotFound(f"'{resource}' is no resource type of R4: {hint}", rule="unknown-type")
    if not _ID.fullmatch(package):
        like = "-".join(_words(package)).lower() or "home-visits"
        raise Unprocessable(f"'{package}' cannot be an id: small letters a to z, digits and dashes, such as {like}")
    kind = _kind(sample, file)
    at, name = _record_kind(kind, sample)
    options = _options(kind, sample, at)
    form = Format(kind, options, (RecordKind(name, at),))  # type: ignore[arg-type]
    issues = Issues()
    read = list(formats.read(form, sample, issues))
    records = [record for record in read if not record.issues.bad]
    if not records:
        told = next((i for one in (issues, *(record.issues for record in read)) for i in one), None)
        why = f"{told.text} ({told.where})" if told and told.where else told.text if told else "it holds none"
        raise Unprocessable(f"{file} holds no record that can be read as {kind}: {why}", rule="no-record")
    leaves = list(_leaves(records, form, sample))
    map_name = "".join(part[0].upper() + part[1:] for part in _words(package))
    elements = [e for e in known.elements.values() if e.name not in _EVERYWHERE]
    key = _key(leaves)
    row = csvmodel.of_csv(sample, f"{package}-row", delimiter=options["delimiter"]) if kind == "csv" else None
    columns = [part.name for part in row.parts] if row else []
    model = orjson.dumps(bundle([row]), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE) if row else b""
    return Skeleton(
        "\n".join(_manifest(package, kind, options, columns, name, at, map_name, key)) + "\n",
        "\n".join(_map(map_name, resource, elements, leaves, key, definitions, row)) + "\n",
        map_name,
        model.decode(),
    )


_EVERYWHERE = frozenset(
    ("id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension")
)


# The sample


def _kind(sample: bytes, file: str) -> str:
    start = sample.lstrip(b"\xef\xbb\xbf\x0b \t\r\n")[:4]
    if start.startswith(b"MSH"):
        return "er7"
    if start.startswith(b"<"):
        return "xml"
    if start[:1] in (b"{", b"["):
        return "fhir" if b'"resourceType"' in sample[:4096] else "json"
    return _KINDS.get(PurePath(file).suffix.lower(), "csv")


def _options(kind: str, sample: bytes, at: str) -> dict[str, str]:
    """How the format's reader has to be told to read the sample."""
    if kind == "csv":
        header = sample.lstrip(b"\xef\xbb\xbf\r\n").splitlines()[:1] or [b""]
        return {"delimiter": max(_DELIMITERS, key=lambda mark: header[0].count(mark.encode()))}
    if kind == "json" and at != "*":
        return {"discriminator": "type"}
    member = _listing(sample) if kind == "json" else None
    return {"list": member} if member else {}


def _listing(sample: bytes) -> str | None:
    """The member of the only object that is a list of several objects, where no other is: those are the records.

    A list that is all there is in the object may hold one.
    """
    try:
        whole = orjson.loads(sample.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    members = whole.items() if isinstance(whole, dict) else ()
    few = 1 if len(members) == 1 else 2
    lists = [name for name, one in members if isinstance(one, list) and sum(isinstance(i, dict) for i in one) >= few]
    return lists[0] if len(lists) == 1 else None


def _record_kind(kind: str, sample: bytes) -> tuple[str, str]:
    """Where a record lies, in the format's own terms, and what to call it."""
    if kind == "xml":
        return _of_xml(sample)
    if kind == "er7":
        fields = sample.lstrip(b"\x0b\xef\xbb\xbf").split(b"\r")[0].split(sample.lstrip(b"\x0b\xef\xbb\xbf")[3:4])
        event = fields[8].decode("ascii", "replace").split("^") if len(fields) > 8 else []
        return ("^".join(event[:2]) or "*"), (event[1].lower() if len(event) > 1 else "message")
    if kind in ("json", "fhir"):
        member = rb"resourceType" if kind == "fhir" else rb"type"
        types = re.findall(rb'"' + member + rb'"\s*:\s*"([A-Za-z0-9_.-]+)"', sample)
        said = next((one.decode() for one in types if one != b"Bundle"), "*")
        return said, said if said != "*" else "record"
    return "*", "row"


def _of_xml(sample: bytes) -> tuple[str, str]:
    """The first element that repeats, or else the outermost with something beside it, in an envelope or bare."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        element = etree.fromstring(sample, parser)
    except etree.XMLSyntaxError as error:
        raise Unprocessable(f"the sample is not XML that can be read (line {error.lineno})", rule="not-xml") from None
    while True:
        inner = [one for one in element if isinstance(one.tag, str) and etree.QName(one).localname != "Header"]
        tags = [one.tag for one in inner]
        repeated = next((one for one in inner if tags.count(one.tag) > 1 and len(one)), None)
        if repeated is not None:
            element = repeated
            break
        deeper = [one for one in inner if any(len(part) for part in one)]
        if len(inner) - len(deeper) > 1 or len(deeper) != 1:
            break
        element = deeper[0]
        if len(inner) > 1:
            break
    return element.tag, etree.QName(element).localname


def _leaves(records: Iterable[Record], form: Format, sample: bytes) -> Iterator[Leaf]:
    counts: dict[tuple[str, ...], int] = {}
    first: dict[tuple[str, ...], Node] = {}

    def look(node: Node, path: tuple[str, ...]) -> None:
        if node.value not in (None, "") and path:
            counts[path] = counts.get(path, 0) + 1
            first.setdefault(path, node)
            if form.kind == "er7":  # Its own first component, once more.
                return
        for name, nodes in node.kids.items():
            for one in nodes:
                look(one, (*path, name))

    for record in records:
        look(record.node, ())
    for path, count in counts.items():
        yield Leaf(path, count, str(formats.position(form.kind, first[path], sample)))


def _key(leaves: list[Leaf]) -> Leaf | None:
    """What may well be the record's own id: the first, and least deep, that is called so."""
    named = [leaf for leaf in leaves if _CALLED_ID.search(leaf.name) or leaf.path == ("MSH", "10")]
    return min(named, key=lambda leaf: len(leaf.path), default=leaves[0] if leaves else None)


# A time is no id: Swedish has `starttid`, and still there is `patientid`.
_CALLED_ID = re.compile(r"[a-z]I[dD]$|(?i:(?<!t)id$|entid$|identifier$|num(?:ber|mer)$)")

# The files


def _manifest(
    package: str,
    kind: str,
    options: dict[str, str],
    columns: list[str],
    name: str,
    at: str,
    map_name: str,
    key: Leaf | None,
) -> Iterator[str]:
    yield f"id: {package}"
    yield "version: 0.1.0"
    yield f"title: {package}, begun from a sample"
    yield "source:"
    yield f"  format: {kind}"
    for option, value in options.items():
        yield f"  {option}: {_quoted(value)}{_ABOUT_OPTION.get(option, '')}"
    if columns:
        yield f"  columns: [{', '.join(map(_quoted, columns))}]  # another one in a file is told"
        if key:
            yield f"  required: [{_quoted(key.name)}]  # a file without one of these is not read"
    yield "records:"
    yield f"  - name: {name}"
    yield f'    at: "{at}"'
    yield f"    map: {CANONICAL}/StructureMap/{map_name}"
    yield "    group: Record"
    if key:
        yield f"    key: {_quoted(_fhirpath(key.path))}  # the record's key within the source: is it?"
    yield "    # asOf: ...  # of when the record holds: a path, such as updated or header.authorTime"
    yield "onError: {field: skip, record: hold}"
    yield "unmapped: {default: report}"
    yield "instance: {name: Example, hsa_id: SE2321000131-T1, controller: SE2321000131-T0}"


_ABOUT_OPTION = {"list": "  # each of its entries is a record; without this line the whole message is one"}


def _quoted(text: str) -> str:
    """A text as YAML, which reads every string of JSON."""
    return orjson.dumps(text).decode()


def _fhirpath(path: Iterable[str]) -> str:
    return ".".join(word(name) for name in path)


def _map(
    map_name: str,
    resource: str,
    elements: list[ElementDef],
    leaves: list[Leaf],
    key: Leaf | None,
    definitions: Definitions,
    row: ModelOf | None,
) -> Iterator[str]:
    source = f"source src : {row.name}" if row else "source src"
    group = f"{resource}Rules"
    yield f"/// url = {string(f'{CANONICAL}/StructureMap/{map_name}')}"
    yield f"/// name = {string(map_name)}"
    yield "/// status = 'draft'"
    yield ""
    if row:
        yield f'uses "{row.url}" alias {row.name} as source'
    yield f'uses "http://hl7.org/fhir/StructureDefinition/{resource}" as target'
    yield ""
    yield "// One entry of the bundle for each resource that a record becomes."
    yield f"group Record({source}, target bundle : Bundle) {{"
    yield f"  src -> bundle.entry as e, e.resource = create('{resource}') as tgt then {group}(src, tgt) \"entry\";"
    yield "}"
    yield ""
    yield f"group {group}({source}, target tgt : {resource}) {{"
    if key:
        yield "  // Every draft needs an identifier; the first is the one it is known by."
        yield f'  src.{_fhirpath(key.path)} as v -> tgt.identifier = id(%source.idSystem, v) "identifier";'
        yield ""
    needed = [element for element in elements if element.min > 0]
    if needed:
        yield f"  // What R4 demands of every {resource}:"
        yield from (_demanded(element, definitions) for element in needed)
        yield ""
    names = {element.name.lower(): element for element in elements if element.name != "identifier"}
    yield "  // What the sample holds. Finish a line, take its slashes away, run `samverka map check`."
    yield "  // Delete what is not carried, and say so in the package's README."
    labels: set[str] = set()
    for leaf in leaves:
        if leaf is not key:
            yield _offered(leaf, names, labels)
    yield "}"


def _demanded(element: ElementDef, definitions: Definitions) -> str:
    codes = ""
    if element.binding and element.binding[0] == "required":
        found = sorted({code for _, code in definitions.codes(element.binding[1]) or ()})
        codes = f": {' | '.join(found[:12])}{' | ...' if len(found) > 12 else ''}"
    return f"  // src... as v -> tgt.{element.name} = ...;  // {element.type}{codes}"


def _offered(leaf: Leaf, names: dict[str, ElementDef], labels: set[str]) -> str:
    near = get_close_matches(leaf.name.lower(), names, n=1, cutoff=0.85)
    target, value, of = "...", "v", ""
    if near:
        element = names[near[0]]
        target, of = element.name, f"{element.type}; "
        value = _VALUE.get(element.type, "v" if element.type in CONVERT else "...")
    label = "-".join(_words(leaf.name)).lower() or "rule"
    if label in labels:  # Two parts of the source have one name: their rules need not.
        label = "-".join(_words(" ".join(leaf.path))).lower() or "rule"
    labels.add(label)
    times = f"{leaf.count} times, first at " if leaf.count > 1 else ""
    return f'  // src.{_fhirpath(leaf.path)} as v -> tgt.{target} = {value} "{label}";  // {of}{times}{leaf.where}'


_VALUE = {
    "code": "translate(v, '...', 'code')",
    "CodeableConcept": "translate(v, '...', 'CodeableConcept')",
    "Coding": "translate(v, '...', 'Coding')",
    "dateTime": "toDateTime(v)",
    "date": "toDate(v)",
}
"""What makes an element of a plain value, by the element's type."""


def _words(text: str) -> list[str]:
    """The words of a name, in letters that names of rules and of maps may have: å is a, and ö is o."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.findall(r"[A-Z]*[a-z0-9]+|[A-Z]+", plain)
