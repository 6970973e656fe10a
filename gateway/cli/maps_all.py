"""`samverka map`: its commands, of the modules that have some of them."""

from __future__ import annotations

from gateway.cli import maps_ask, maps_status, maps_text
from gateway.cli.maps import app

maps_ask.add_to(app)
maps_text.add_to(app)
maps_status.add_to(app)
