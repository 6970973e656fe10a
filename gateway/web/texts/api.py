"""The words of the page of the API: Swedish and English."""

from __future__ import annotations

API: dict[str, tuple[str, str]] = {
    "api-help": (
        "Det som program kan fråga om, skrivet ur det som tjänsten själv arbetar efter.",
        "What programs can ask for, written from what the service itself works by.",
    ),
    "resource-type": ("Resurstyp", "Resource type"),
    "all-types": ("Alla, i allmänhet", "All, in general"),
    "api-operations": ("Anrop", "Operations"),
    "api-open": ("Öppna", "Open"),
    "api-parameters": ("Parametrar", "Parameters"),
    "api-place": ("Var", "Where"),
    "api-kind": ("Typ", "Type"),
    "api-about": ("Vad", "What"),
    "api-required": ("krävs", "required"),
    "api-body": ("Det som skickas", "What is sent"),
    "api-answers": ("Svar", "Answers"),
    "api-status": ("Status", "Status"),
    "api-media": ("Format", "Format"),
    "api-headers": ("Huvuden", "Headers"),
    "api-schemas": ("Scheman", "Schemas"),
}
