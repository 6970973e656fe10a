"""The words for another time: what held, and what was known then: Swedish and English."""

from __future__ import annotations

TIME: dict[str, tuple[str, str]] = {
    "time-travel": ("Visa en annan tidpunkt", "Show another time"),
    "at": ("Gällande", "As of"),
    "at-help": ("Vad som gällde då, enligt källorna", "What held then, by the sources' account"),
    "known-at": ("Känt", "Known by"),
    "known-at-help": ("Bara det som hade kommit in då", "Only what had come in by then"),
    "show": ("Visa", "Show"),
    "show-now": ("Visa nuläget", "Show the present"),
    "as-json": ("Svaret som FHIR-dokument", "The answer as a FHIR document"),
    "on-the-page": ("På sidan", "On this page"),
    "print-help": (
        "Sidan kan skrivas ut och lämnas till personen.",
        "The page can be printed and handed to the person.",
    ),
    "printed": ("Utskrivet", "Printed"),
    "print-foot": (
        "Sammanställt ur vårdens och omsorgens egna system. Ring enheten om något inte stämmer.",
        "Put together from the care providers' own systems. Call the unit if something is not right.",
    ),
}
