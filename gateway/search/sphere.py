"""Places on earth as points on the unit sphere: whether two are near is plain arithmetic on any database.

https://hl7.org/fhir/R4/location.html#positional
"""

from __future__ import annotations

from math import cos, radians, sin

Point = tuple[float, float, float]
"""North, towards longitude 0, towards longitude 90."""

RADIUS = 6_371_008.8
"""The mean radius of the earth, in metres."""


def point(latitude: float, longitude: float) -> Point:
    north, east = radians(latitude), radians(longitude)
    return sin(north), cos(north) * cos(east), cos(north) * sin(east)


def chord(metres: float) -> float:
    """How far apart two points are, straight through the sphere, that lie so far apart along it."""
    return 2 * sin(min(metres / RADIUS, 3.141592653589793) / 2)
