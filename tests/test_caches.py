"""No cache grows with what comes in: one without a bound is keyed by what the gateway itself has a few of."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
UNBOUNDED = {
    "coordination/agreements.py: agreement": "files of agreements",
    "coordination/agreements.py: read": "files of agreements",
    "coordination/missions.py: shipped": "missions that an agreement names",
    "coordination/negotiation/profile.py: profile": "profiles that can be set",
    "coordination/words.py: _months": "languages",
    "fhir/typed.py: model": "R4's types: what is none raises, and is not kept",
    "mapping/structuremap.py: _codes": "value sets of StructureMap",
    "search/sql.py: _by_url": "types of definitions",
    "store/dialects.py: positional": "databases",
    "store/statements.py: _of_person": "ways to ask, by types that are searched or left out",
}
"""What has no bound, and of what there is one for each."""


def test_what_is_kept_for_each_of_something_without_a_bound_is_of_the_gateways_own() -> None:
    """Words for codes were kept of every code that any source ever told."""
    found = set()
    for path in sorted((ROOT / "gateway").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef) and node.args.args and any(map(_is_unbounded, node.decorator_list)):
                found.add(f"{path.relative_to(ROOT / 'gateway')}: {node.name}")
    assert found == UNBOUNDED.keys()


def _is_unbounded(decorator: ast.expr) -> bool:
    told = ast.unparse(decorator)
    return told.removeprefix("functools.") in ("cache", "lru_cache(None)", "lru_cache(maxsize=None)")
