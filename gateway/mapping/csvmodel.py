"""The header of a CSV file, or its CSVW metadata, as a logical model.

https://www.w3.org/TR/tabular-metadata/
"""

from __future__ import annotations

import csv
import re
from typing import Any

import orjson

from gateway.definitions import CANONICAL
from gateway.mapping.logical import ModelOf, Part
from gateway.mapping.problems import CompileError, Problem

_TYPES = {
    "boolean": "boolean",
    "date": "date",
    "datetime": "dateTime",
    "dateTime": "dateTime",
    "time": "time",
    "decimal": "decimal",
    "double": "decimal",
    "number": "decimal",
    "float": "decimal",
    "integer": "integer",
    "int": "integer",
    "long": "integer",
    "anyURI": "uri",
}


def of_csv(content: bytes, name: str, *, delimiter: str | None = None, base: str = CANONICAL) -> ModelOf:
    """A model of the header's columns. The delimiter is what the header has most of, unless it is given."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    header = text.splitlines()[:1]
    if not header:
        raise CompileError([Problem(name, 1, 1, "the file is empty: it has no header")])
    mark = delimiter or max(";,\t|", key=header[0].count)
    columns = [column.strip() for column in next(csv.reader(header, delimiter=mark))]
    return _model(name, [Part(column, "string") for column in columns if column], base)


def of_csvw(content: bytes, name: str, *, base: str = CANONICAL) -> ModelOf:
    """A model of the columns that CSVW metadata describe: name, type, whether required."""
    try:
        metadata = orjson.loads(content)
        tables = metadata.get("tables") or [metadata]
        columns = [_column(column) for table in tables for column in table["tableSchema"]["columns"]]
    except orjson.JSONDecodeError as error:
        raise CompileError([Problem(name, error.lineno, error.colno, f"not JSON: {error.msg}")]) from None
    except (KeyError, TypeError, AttributeError):
        raise CompileError([Problem(name, 1, 1, "this is no CSVW metadata with a tableSchema")]) from None
    return _model(name, columns, base)


def _column(column: dict[str, Any]) -> Part:
    titles = column.get("titles")
    first = titles[0] if isinstance(titles, list) else titles
    datatype = column.get("datatype", "string")
    kind = datatype.get("base", "string") if isinstance(datatype, dict) else datatype
    # Records have the columns under what the header says, which is the title.
    return Part(str(first or column["name"]), _TYPES.get(kind, "string"), int(bool(column.get("required"))))


def _model(name: str, columns: list[Part], base: str) -> ModelOf:
    words = re.findall(r"[A-Za-z0-9]+", name)
    type_name = "".join(word[0].upper() + word[1:] for word in words) or "Row"
    return ModelOf(
        f"{base}/StructureDefinition/{'-'.join(words) or 'row'}", type_name, f"A row of {name}", tuple(columns)
    )
