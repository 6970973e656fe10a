"""The words of the page where a person is picked: Swedish and English."""

from __future__ import annotations

START: dict[str, tuple[str, str]] = {
    "persons": ("Personer", "Persons"),
    "pick-help": (
        "Här visas personer som du deltar i vården av.",
        "These are the persons whose care you take part in.",
    ),
    "identity-number": ("Person-, samordnings- eller reservnummer", "Identity, coordination or reserve number"),
    "identity-number-help": ("12 tecken: ååååmmddnnnn", "12 characters: yyyymmddnnnn"),
    "search": ("Sök", "Search"),
    "nobody": (
        "Ingen person hittades. Kontrollera numret; eller så deltar du inte i vården av den personen.",
        "No person was found. Check the number; or you take no part in that person's care.",
    ),
    "no-persons": (
        "Ingen person här har dig med i sin vård.",
        "No person here has you taking part in their care.",
    ),
    "name": ("Namn", "Name"),
    "born": ("Född", "Born"),
    "protected": ("Skyddade personuppgifter", "Protected identity"),
    "protected-name": ("Skyddad uppgift", "Protected"),
    "protected-help": (
        "Namn och adress visas inte. Lämna inte ut var personen vistas eller får vård.",
        "Name and address are not shown. Tell nobody where the person lives or is cared for.",
    ),
    "deceased": ("Avliden", "Deceased"),
    "no-name": ("Namn saknas", "No name stated"),
}
