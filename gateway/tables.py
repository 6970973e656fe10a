"""The SQLAlchemy tables, group by group: what is kept, for how long, and by which key it is found."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData()
