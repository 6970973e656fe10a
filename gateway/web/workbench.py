"""The workbench's pages: choose a package, then source, map and output side by side.

Everything stands in one form that is posted: messages hold patient data, which must not stand in an address. No script:
each click is answered with the page anew, what it looks at in view (docs/workbench.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.bench import Bench
from gateway.errors import GatewayError
from gateway.mapping.problems import CompileError
from gateway.web import visitor
from gateway.web.bench import View
from gateway.web.render import page

MOST_FORM = 8 << 20
EDIT = "edit:"


async def packages(request: Request) -> Response:
    """Every package, to choose one."""
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    found = await to_thread.run_sync(door.bench_packages, who)
    return page(request, "workbench-start.html", caller=who.caller, packages=found)


async def workbench(request: Request, package: str) -> Response:
    """A package with one of its cases, or a kept message."""
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    case, message = request.query_params.get("case", ""), request.query_params.get("message", "")
    bench = await to_thread.run_sync(lambda: door.bench_try(who, package, case=case, message=message))
    return _shown(request, bench, {})


async def work(request: Request, package: str) -> Response:
    """The form again: run it, look at a step, open a file, keep the edit."""
    who, door = visitor.asking(request, "operation"), visitor.door_of(request)
    fields = await visitor.form(request, most=MOST_FORM)
    texts = _texts(fields)
    case, message = fields.get("case", ""), fields.get("message", "")
    fresh = "take" in fields  # Another sample: the text in the form is of the one before.
    text = None if fresh else fields.get("source")
    kept: list[str] | None = None
    refusal: GatewayError | None = None
    if "keep" in fields:
        try:
            kept = await to_thread.run_sync(door.bench_keep, who, package, texts)
        except CompileError:
            pass  # The try says where.
        except GatewayError as error:
            if error.status == 404:
                raise
            refusal = error
    bench = await to_thread.run_sync(
        lambda: door.bench_try(who, package, case=case, message=message, text=text, texts=texts)
    )
    return _shown(request, bench, fields, kept=kept, refusal=refusal)


def _texts(fields: Mapping[str, str]) -> dict[str, str]:
    """The edited files: those that lie in the form, and the one that is open."""
    texts = {name.removeprefix(EDIT): text for name, text in fields.items() if name.startswith(EDIT)}
    if "file" in fields and "map" in fields:
        texts[fields["file"]] = fields["map"]
    return {name: text.replace("\r\n", "\n") for name, text in texts.items()}


def _shown(
    request: Request,
    bench: Bench,
    fields: Mapping[str, str],
    *,
    kept: list[str] | None = None,
    refusal: GatewayError | None = None,
) -> Response:
    record, step = _chosen(bench, fields)
    view = View(bench, record, step, _open(bench, fields, record, step))
    marks, meaning = view.marks()
    return page(
        request,
        "workbench.html",
        caller=visitor.asking(request, "operation").caller,
        view=view,
        bench=bench,
        source=list(view.source_lines(marks)),
        meaning=meaning,
        map_lines=list(view.map_lines()),
        output=view.output(),
        editing=fields.get("editing", ""),
        kept=kept,
        refusal=refusal,
    )


def _chosen(bench: Bench, fields: Mapping[str, str]) -> tuple[int, int | None]:
    """Record and step that are looked at: a click's `record.step`, else those of before where they still are."""
    if bench.tried is None or not bench.tried.records or "take" in fields:
        return 0, None
    parts = fields.get("go", fields.get("at", "")).split(".")
    numbers = [int(part) if part.isascii() and part.isdigit() else None for part in (*parts, "")[:2]]
    record = min(numbers[0] or 0, len(bench.tried.records) - 1)
    last = len(bench.tried.records[record].steps) - 1
    step = numbers[1]
    return record, None if step is None or last < 0 else min(step, last)


def _open(bench: Bench, fields: Mapping[str, str], record: int, step: int | None) -> str:
    """The file to show: the one asked for, with a problem, of the step looked at, of before, or the first map."""
    own = list(bench.package.own_files)
    rules = [bench.tried.records[record].steps[step].rule.file] if bench.tried and step is not None else []
    looked_at = rules if "go" in fields else []
    problems = [problem.file for problem in bench.problems]
    first = bench.tried.records[record].steps[:1] if bench.tried and bench.tried.records else ()
    before = [fields[name] for name in ("open", "file") if fields.get(name)]
    tried = [*looked_at, *before, *problems, *(one.rule.file for one in first)]
    maps = [name for name in own if name.endswith(".fml")]
    return next((name for name in (*tried, *maps) if name in own), own[0])
