"""The manifest of a mapping package, `map.yaml`: everything about a source's records that is not a rule.

Described for integrators in docs/mapping.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gateway.formats import OPTIONS
from gateway.mapping.problems import CompileError, Problem, did_you_mean, meant_or_known


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class SourceSpec(BaseModel):
    """How the bytes are read; what else stands here are options of the format's reader."""

    model_config = ConfigDict(extra="allow", frozen=True)

    format: Literal["xml", "er7", "csv", "json", "fhir"]


class RecordSpec(_Model):
    """One kind of record: where it lies, the group that maps it, FHIRPaths to its key, time, version and parties."""

    name: str
    at: str = "*"
    where: Mapping[str, str | list[str]] = Field(default_factory=dict)
    map: str
    group: str | None = None
    key: str | None = None
    as_of: str | None = Field(None, alias="asOf")
    version: str | None = None
    party: str | None = None
    provider: str | None = None
    needs: list[str] = Field(default_factory=list)
    """FHIRPaths to what a record cannot do without, such as whom it is about: without it the record is held."""


class EnvelopeSpec(_Model):
    """A fact about the whole message that is told when it holds."""

    at: str
    text: str
    when: Mapping[str, str | list[str]] = Field(default_factory=dict)
    severity: Literal["error", "warning", "information"] = "error"


Level = Literal["skip", "hold", "stop"]


class ErrorPolicy(_Model):
    """What becomes of a value that does not fit (`field`) and of a record that cannot be mapped (`record`).

    `stop` ends the batch: the record is held, and what comes behind it in the message is not tried.
    """

    field: Literal["skip", "hold"] = "skip"
    record: Literal["hold", "skip", "stop"] = "hold"
    rules: Mapping[str, Level] = Field(default_factory=dict)
    """By the rule of an issue, what becomes of it, whatever else holds."""


class SnapshotSpec(_Model):
    """Where a complete snapshot says what time it speaks of: a FHIRPath on its first record, or `max(path)` of all."""

    as_of: str = Field(alias="asOf")


class InstanceSpec(_Model):
    """The source instance that the package has without configuration; fields as in `gateway.records.Source`."""

    name: str
    hsa_id: str
    controller: str
    controller_name: str = ""
    role: Literal["care-provider", "social-care-provider"] = "care-provider"
    timezone: str = "Europe/Stockholm"
    delivery: Literal["event", "delta", "snapshot"] = "event"
    scope: str = ""
    cadence: int | None = None
    municipality: str | None = None
    watch: str | None = None
    mllp_port: int | None = None
    mllp_host: str = "127.0.0.1"


class Manifest(_Model):
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str
    title: str
    source: SourceSpec
    records: list[RecordSpec] = Field(min_length=1)
    envelope: Mapping[str, EnvelopeSpec] = Field(default_factory=dict)
    on_error: ErrorPolicy = Field(default_factory=ErrorPolicy, alias="onError")
    unmapped: Mapping[str, str] = Field(default_factory=dict)
    snapshot: SnapshotSpec | None = None
    instance: InstanceSpec | None = None

    @field_validator("version", mode="before")
    @classmethod
    def _written_as_number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) else value

    @field_validator("unmapped")
    @classmethod
    def _policies(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for policy in value.values():
            if policy not in ("report", "provided") and not policy.startswith("fixed:"):
                raise ValueError("a policy is report, provided or fixed:code")
        return value


# Of libyaml where it is built in, as in the published wheels: the packages' manifests were a tenth of every start.
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@lru_cache(maxsize=64)
def read(text: str, shown: str, folder: str | None = None) -> Manifest:
    """The manifest, or a CompileError that gives file, line and column of everything wrong with it."""
    try:
        tree, data = _parsed(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise CompileError([Problem(shown, line, column, f"not YAML: {error.problem}")]) from None
    except yaml.YAMLError:
        raise CompileError([Problem(shown, 1, 1, "not YAML")]) from None
    try:
        manifest = Manifest.model_validate(data if isinstance(data, dict) else {})
    except ValidationError as error:
        raise CompileError(_problems(error, tree, shown, text)) from None
    problems = list(_options(manifest.source, tree, shown, text))
    seen: set[str] = set()
    for index, record in enumerate(manifest.records):
        if record.name in seen:
            line, column = _place(tree, ("records", index, "name"))
            problems.append(Problem(shown, line, column, f"two records are named '{record.name}'"))
        seen.add(record.name)
    if folder and manifest.id != folder:
        line, column = _place(tree, ("id",))
        problems.append(
            Problem(shown, line, column, f"the id is '{manifest.id}', the folder '{folder}'", "make them one")
        )
    if problems:
        raise CompileError(problems)
    return manifest


def _parsed(text: str) -> tuple[yaml.Node | None, Any]:
    """The nodes with their places, and the data that they are."""
    loader = _LOADER(text)
    try:
        tree = loader.get_single_node()
        return tree, None if tree is None else loader.construct_document(tree)
    finally:
        loader.dispose()


_SAID = {
    "extra_forbidden": "the manifest knows no such name here",
    "missing": "this must be said",
    "list_type": "this is a list",
    "string_type": "this is a text",
    "string_pattern_mismatch": "small letters a to z, digits and dashes, as in home-visits",
}
"""What the commonest mistakes are, in the words of the manifest; the others are said as they are found."""


def _options(source: SourceSpec, tree: yaml.Node | None, shown: str, text: str) -> Iterator[Problem]:
    """Options that the format's reader does not know: it would pass over them, and read otherwise than is meant."""
    known = OPTIONS[source.format]
    for name in source.model_extra or ():
        if name not in known:
            line, column = _place(tree, ("source", name))
            hint = meant_or_known(name, sorted(known))
            said = f"source.{name}: {source.format} has no such option"
            yield Problem(shown, line, column, said, hint, text.splitlines()[line - 1])


def _problems(error: ValidationError, tree: yaml.Node | None, shown: str, text: str) -> list[Problem]:
    found = []
    lines = text.splitlines()
    for wrong in error.errors():
        path = tuple(part for part in wrong["loc"])
        line, column = _place(tree, path)
        name = ".".join(str(part) for part in path)
        said = _SAID.get(wrong["type"], wrong["msg"])
        hint = ""
        if wrong["type"] == "extra_forbidden":
            hint = meant_or_known(str(path[-1]), _fields(path[:-1]))
        elif wrong["type"] == "list_type":
            hint = "in brackets: [one, another]"
        elif wrong["type"] == "literal_error":
            hint = did_you_mean(str(wrong["input"]), re.findall(r"'([^']+)'", wrong["msg"]))
        excerpt = lines[line - 1] if line <= len(lines) else ""
        found.append(Problem(shown, line, column, f"{name}: {said}", hint, excerpt))
    return found


def _fields(path: tuple[Any, ...]) -> list[str]:
    """The names a table of the manifest may have."""
    models: dict[str, type[BaseModel]] = {
        "records": RecordSpec,
        "envelope": EnvelopeSpec,
        "onError": ErrorPolicy,
        "snapshot": SnapshotSpec,
        "instance": InstanceSpec,
    }
    model = models.get(str(path[0]), Manifest) if path else Manifest
    return [field.alias or name for name, field in model.model_fields.items()]


def _place(tree: yaml.Node | None, path: tuple[Any, ...]) -> tuple[int, int]:
    """Line and column of a key's value in the YAML tree, or of the nearest table around it."""
    node = tree
    for part in path:
        below: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            below = next((value for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            below = node.value[part]
        if below is None:
            break
        node = below
    return (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (1, 1)
