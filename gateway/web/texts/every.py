"""The words of every page: its frame, and what all speak of: Swedish and English."""

from __future__ import annotations

EVERY: dict[str, tuple[str, str]] = {
    "title": ("Vem gör vad", "Who does what"),
    "tagline": ("Ett gemensamt svar, ur allas egna system", "One shared answer, from everybody's own systems"),
    "skip": ("Till innehållet", "Skip to content"),
    "menu": ("Sidor", "Pages"),
    "other-language": ("In English", "På svenska"),
    "settings": ("Språk och identitet", "Language and identity"),
    "you-are": ("Du är", "You are"),
    "operator": ("Driftansvarig", "Operator"),
    "change": ("Byt", "Change"),
    "test-identity": ("Testidentitet", "Test identity"),
    "test-identity-help": (
        "Du ser det som den valda enheten får se.",
        "You see what the chosen unit may see.",
    ),
    "demo-network": (
        "Testidentiteter är öppna för alla på nätet. Använd inte riktiga uppgifter här.",
        "Test identities are open to everybody on this network. Do not use real data here.",
    ),
    "demo-data": (
        "Provdata: påhittade personer och en fast tidpunkt,",
        "Demo data: made-up persons and a fixed moment,",
    ),
    "back": ("Tillbaka till svaret", "Back to the answer"),
    "to-start": ("Till personerna", "To the persons"),
}
