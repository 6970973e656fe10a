"""The words of the page of a source record: Swedish and English."""

from __future__ import annotations

SOURCE: dict[str, tuple[str, str]] = {
    "source-record": ("Källpost", "Source record"),
    "source-record-help": (
        "Posten som den kom, och vilken regel som gjorde varje uppgift av den.",
        "The record as it came, and which rule made each value of it.",
    ),
    "stated-by": ("Sagt av", "Stated by"),
    "source": ("Källa", "Source"),
    "effective": ("Gäller från", "Holds from"),
    "received": ("Kom in", "Came in"),
    "record-kind": ("Post", "Record"),
    "maps": ("Kartor", "Maps"),
    "about": ("Om", "About"),
    "withdrawn": ("Uttalandet tas tillbaka", "The statement is withdrawn"),
    "retracted": ("Gäller inte: läst på nytt", "Does not count: read anew"),
    "outcome-same": (
        "Läst på nytt med kartorna från då: samma uppgifter kom ut.",
        "Read anew with the maps of that time: the same came out.",
    ),
    "outcome-differs": (
        "Läst på nytt blev uppgifterna andra än då. Det som visas här är hur posten läses i dag.",
        "Read anew, something else came out than then. What is shown is how the record is read today.",
    ),
    "outcome-retracted": (
        "Läst på nytt med en annan karta säger posten inte detta: det gäller inte längre.",
        "Read anew with another map, the record does not say this: it counts no longer.",
    ),
    "outcome-not-replayed": (
        "Källan eller kartorna finns inte kvar: posten kan visas, men inte läsas på nytt.",
        "The source or its maps are gone: the record can be shown, but not read anew.",
    ),
    "outcome-not-mapped": (
        "Skrivet direkt som FHIR: ingen karta har använts.",
        "Written as FHIR: no map was used.",
    ),
    "outcome-by-rule": (
        "Följer av en regel: vad en enhet hade när den upphörde är arvtagarens, enligt katalogen.",
        "Follows from a rule: what a unit had when it closed is its heir's, by the directory.",
    ),
    "outcome-absent": (
        "Följer av att källans fullständiga lista inte längre, eller åter, höll posten.",
        "Follows from the source's complete list no longer, or once more, holding the record.",
    ),
    "record-text": ("Posten", "The record"),
    "cut": ("Posten är längre än vad som visas.", "The record is longer than what is shown."),
    "elements": ("Uppgifter ur posten", "Values from the record"),
    "elements-caption": (
        "Uppgifternas värde, deras plats i källan och regeln som skrev dem",
        "The values, their places in the source, and the rule that wrote each",
    ),
    "constants": ("Värden som kartan själv sätter", "Values that the map sets by itself"),
    "element": ("Uppgift", "Element"),
    "value": ("Värde", "Value"),
    "place": ("Plats i källan", "Place in the source"),
    "rule": ("Kartans regel", "Rule of the map"),
    "issues": ("Anmärkningar", "Issues"),
    "no-issues": ("Inga anmärkningar.", "No issues."),
    "others": ("Andra uttalanden om samma sak", "Other statements about the same"),
}
