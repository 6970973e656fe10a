"""What Alembic runs: the migrations, on the connection and in the transaction that it was handed."""

from typing import Any, Literal

from alembic import context

from gateway.tables import Instant, metadata


def render_item(kind: str, item: object, _: Any) -> str | Literal[False]:
    """A migration names what the column is in the database: our own types may change, it may not."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Instant) else False


context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_item=render_item)
with context.begin_transaction():
    context.run_migrations()
