"""`samverka map`: questions to what maps make of messages: why is this empty, which codes does no table name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from gateway import formats
from gateway.cli.maps import MappingsOption, PackagesArgument, all_packages, end, instance_of, messages
from gateway.cli.options import JsonOption, SourcesOption
from gateway.fhir.json import dump
from gateway.issues import Issues
from gateway.mapping import Package, commands, told
from gateway.mapping.cases import cases, own_source
from gateway.mapping.codes import unmapped
from gateway.mapping.compare import compare, package_in
from gateway.mapping.unread import corpus
from gateway.mapping.whynot import why_not


def add_to(app: typer.Typer) -> None:
    """Put the commands of this module among those of `samverka map`."""
    app.command("why-not")(why_not_command)
    app.command("codes")(codes_command)
    app.command("diff")(diff_command)
    app.command("bench")(bench_command)


def why_not_command(
    source: Annotated[str, typer.Argument(help="The source instance that the file comes from.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The message.")],
    path: Annotated[str, typer.Argument(help="The empty element, from its resource on: Encounter.period.end.")],
    values: Annotated[bool, typer.Option("--values", help="Show the operands' values: they are the file's.")] = False,
    mappings: MappingsOption = None,
    sources: SourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why an element is empty: each rule that could fill it, and where it stopped.

    Example: `samverka map why-not rivta-logistics svar.xml Encounter.period.end`
    """
    package, instance = instance_of(source, mappings, sources)
    found = why_not(package, file.read_bytes(), instance, datetime.now(UTC), path, values=values)
    text, data = told.why_nots(found)
    end(text, data, True, as_json)


def codes_command(
    source: Annotated[str, typer.Argument(help="The source instance that the files come from.")],
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Messages.")],
    mappings: MappingsOption = None,
    sources: SourcesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Codes that no row of a ConceptMap names, the most frequent first.

    Example: `samverka map codes dispatch-json larm/*.json`
    """
    package, instance = instance_of(source, mappings, sources)
    text, data = told.missing_codes(unmapped(package, messages(files, instance)))
    end(text, data, True, as_json)


def diff_command(
    old: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A package's folder, as it was.")],
    new: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The folder as it is to be.")],
    files: Annotated[
        list[Path] | None,
        typer.Option("--corpus", exists=True, dir_okay=False, help="Messages; default: the new one's cases."),
    ] = None,
    values: Annotated[bool, typer.Option("--values", help="Show values of the examples: they are the files'.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What another version of a package would make of the same messages; exit code 1 where anything would differ.

    Example: `samverka map diff before/municipal-csv mappings/municipal-csv --corpus lista.csv`
    """
    before, after = package_in(old), package_in(new)
    sent = messages(files, own_source(after)) if files else corpus(after)
    found = compare(before, after, sent, values=values)
    text, data = told.compared(found)
    end(text, data, not found.differing, as_json)


def bench_command(
    packages: PackagesArgument = None,
    seconds: Annotated[float, typer.Option(help="So long for each package.")] = 1.0,
    mappings: MappingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """How fast a package's cases are read, mapped and written, on one core; and how long its maps take to compile.

    Example: `samverka map bench directory-csv --seconds 0.2`
    """
    data = [_measured(package, seconds) for package in commands.chosen(all_packages(mappings), packages)]
    lines = [
        f"{one['package']}: {one['recordsPerSecond']} records/s, read {one['readMicroseconds']} µs, "
        f"map {one['mapMicroseconds']} µs, write {one['writeMicroseconds']} µs a record; "
        f"compiled in {one['compileMilliseconds']} ms"
        for one in data
    ]
    end("\n".join(lines), data, True, as_json)


def _measured(package: Package, seconds: float) -> dict[str, Any]:
    started = perf_counter()
    package.check()
    compiled = perf_counter() - started
    sent = [(case.body, case.source, case.received) for case in cases(package)]
    spent, records = [0.0, 0.0, 0.0], 0
    warm = False
    while sum(spent) < seconds or not warm:
        for body, source, received in sent:
            marks = [perf_counter()]
            found = list(formats.read(package.format, body, Issues()))
            marks.append(perf_counter())
            results = [package.apply(record, source, received, body=body) for record in found]
            marks.append(perf_counter())
            for result in results:
                for draft in result.drafts:
                    dump(draft.resource)
            marks.append(perf_counter())
            if warm:  # The first round makes the code.
                records += len(found)
                spent = [total + after - before for total, before, after in zip(spent, marks, marks[1:], strict=False)]
        if not sent:
            break
        warm = True
    read, mapped, written = (round(part / max(records, 1) * 1e6, 1) for part in spent)
    return {
        "package": package.id,
        "compileMilliseconds": round(compiled * 1000, 1),
        "records": records,
        "recordsPerSecond": round(records / sum(spent)) if records else 0,
        "readMicroseconds": read,
        "mapMicroseconds": mapped,
        "writeMicroseconds": written,
    }
