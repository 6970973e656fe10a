"""What the page says, in Swedish and English: one row for each text.

The words for missions, gaps and statuses come with the data; these are the page's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Language = Literal["sv", "en"]
LANGUAGES: tuple[Language, ...] = ("sv", "en")

_TEXTS: dict[str, tuple[str, str]] = {
    # Every page
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
    # Start
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
    # The answer
    "now": ("Ansvarig nu", "Responsible now"),
    "next": ("Härnäst", "Next"),
    "gaps": ("Fattas", "Missing"),
    "sources": ("Underlag", "Sources"),
    "awaited": ("Inväntas", "Awaited"),
    "lanes": ("Över tid", "Over time"),
    "as-of": ("Så som det är", "As it is on"),
    "as-of-then": ("Så som det var", "As it was on"),
    "known-by": ("enligt det som var känt", "by what was known on"),
    "since": ("sedan", "since"),
    "due": ("senast", "by"),
    "no-phone": ("Telefon saknas i katalogen", "No telephone in the directory"),
    "nobody-now": ("Ingen har ett pågående uppdrag.", "Nobody has work in progress."),
    "nothing-next": ("Inget är planerat.", "Nothing is planned."),
    "nothing-missing": (
        "Inget som källorna visar. Källor som är tysta kan veta mer.",
        "Nothing that the sources show. Sources that are silent may know more.",
    ),
    "nothing-awaited": ("Inget inväntas.", "Nothing is awaited."),
    "no-sources": ("Ingen källa har sagt något om personen.", "No source has said anything about the person."),
    "nobody-asked": ("Ingen är tillfrågad", "Nobody is asked"),
    "unknown-unit": ("Okänd enhet", "Unknown unit"),
    "must-act": ("Ska agera", "Must act"),
    "evidence": ("Källposter", "Source records"),
    "severity-high": ("Allvarligt", "Serious"),
    "severity-moderate": ("Viktigt", "Important"),
    "severity-low": ("Se över", "To review"),
    "state-heard": ("Hörd", "Heard"),
    "state-silent": ("Tyst", "Silent"),
    "state-not-connected": ("Ej ansluten", "Not connected"),
    "never-heard": ("aldrig hörd", "never heard"),
    "unconfirmed": ("obekräftat sedan dess", "unconfirmed since"),
    "other-sources": ("Källor utan uppgift om personen", "Sources that say nothing of the person"),
    "from-whom": ("Från", "From"),
    "to-whom": ("Till", "To"),
    "what": ("Vad", "What"),
    "asked": ("Tillfrågad", "Asked"),
    "answer-by": ("Senast", "By"),
    "phone": ("Telefon", "Telephone"),
    "legend": ("Teckenförklaring", "Key"),
    "lane-now": ("pågår", "under way"),
    "lane-coming": ("planerat", "planned"),
    "lane-asked": ("efterfrågat, utan svar", "asked, not answered"),
    "lane-past": ("klart", "done"),
    "lane-not": ("avböjt eller inställt", "refused or cancelled"),
    "lane-moment": ("den tidpunkt som visas", "the moment shown"),
    "no-lanes": ("Inget hände de dagar som visas.", "Nothing happened on the days shown."),
    # Another time
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
    # The source record
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
    # The inbox
    "inbox": ("Inkorg", "Inbox"),
    "inbox-help": (
        "Meddelanden som de kom. Det som inte kunde användas hålls kvar med sina anmärkningar och kan köras om.",
        "Messages as they came. What could not be used is held with its issues, and can be replayed.",
    ),
    "held-messages": ("Meddelanden med hållna poster", "Messages with held items"),
    "nothing-held": ("Inget hålls.", "Nothing is held."),
    "latest-messages": ("Senaste meddelanden", "Latest messages"),
    "no-messages": ("Inga meddelanden än.", "No messages yet."),
    "message": ("Meddelande", "Message"),
    "items": ("Poster", "Items"),
    "held": ("Hållna", "Held"),
    "state": ("Läge", "State"),
    "size": ("Storlek", "Size"),
    "message-issues": ("Meddelandet som helhet", "The message as a whole"),
    "good-items": ("Poster utan anmärkning", "Items without issues"),
    "replay-help": ("Kör om när kartan är lagad:", "Replay when the map is mended:"),
    "inbox-received": ("väntar", "waiting"),
    "inbox-done": ("klart", "done"),
    "inbox-held": ("hålls", "held"),
    "inbox-skipped": ("överhoppad", "skipped"),
    "inbox-superseded": ("ersatt", "superseded"),
    "issue-fatal": ("fel", "fatal"),
    "issue-error": ("fel", "error"),
    "issue-warning": ("varning", "warning"),
    "issue-information": ("upplysning", "information"),
    # The API
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
    # Refusals
    "not-found": ("Det finns inget här", "There is nothing here"),
    "not-found-help": (
        "Sidan finns inte, eller så deltar du inte i personens vård.",
        "There is no such page, or you take no part in the person's care.",
    ),
    "forbidden": ("Det får du inte göra", "You may not do this"),
    "forbidden-help": ("Skicka formuläret från sidan själv.", "Send the form from the page itself."),
    "who-are-you": ("Vem är du?", "Who are you?"),
    "who-are-you-help": (
        "Välj en identitet här nedan, eller öppna sidan på datorn där tjänsten körs.",
        "Choose an identity below, or open the page on the computer that runs the service.",
    ),
    "log-in-help": (
        "Öppna sidan genom er inloggning: den talar om vilken enhet du arbetar på.",
        "Open the page through your login: it tells which unit you work at.",
    ),
    "bad-request": ("Det gick inte att förstå", "That could not be understood"),
    "bad-request-help": ("Gå tillbaka och ändra uppgifterna.", "Go back and change what you gave."),
    "too-large": ("För stort", "Too large"),
    "too-large-help": ("Skicka mindre.", "Send less."),
    "unavailable": ("Tjänsten svarar inte just nu", "The service does not answer right now"),
    "unavailable-help": ("Försök igen om en stund.", "Try again in a while."),
    "unforeseen": ("Något gick fel hos oss", "Something went wrong on our side"),
    "unforeseen-help": (
        "Felet är loggat. Försök igen, eller kontakta driftansvarig.",
        "The fault is logged. Try again, or tell the operator.",
    ),
}

TEXTS: Mapping[Language, Mapping[str, str]] = MappingProxyType(
    {
        language: MappingProxyType({key: pair[index] for key, pair in _TEXTS.items()})
        for index, language in enumerate(LANGUAGES)
    }
)

ELEMENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "identifier": ("Postens id", "The record's id"),
        "groupIdentifier": ("Behov", "Need"),
        "status": ("Läge", "Status"),
        "businessStatus": ("Skede", "Stage"),
        "statusReason": ("Orsak till läget", "Reason for the status"),
        "code": ("Vad", "What"),
        "class": ("Slag av kontakt", "Kind of contact"),
        "type": ("Slag", "Kind"),
        "category": ("Slag", "Kind"),
        "serviceType": ("Verksamhet", "Service"),
        "description": ("Beskrivning", "Description"),
        "title": ("Rubrik", "Title"),
        "text": ("Text", "Text"),
        "note": ("Anteckning", "Note"),
        "reasonCode": ("Anledning", "Reason"),
        "priority": ("Brådska", "Priority"),
        "intent": ("Avsikt", "Intent"),
        "for": ("Person", "Person"),
        "subject": ("Person", "Person"),
        "owner": ("Ansvarig", "Owner"),
        "requester": ("Frågat av", "Asked by"),
        "performer": ("Utförare", "Performer"),
        "performerType": ("Yrkesroll", "Role"),
        "author": ("Författare", "Author"),
        "serviceProvider": ("Enhet", "Unit"),
        "participant": ("Deltagare", "Participant"),
        "participant.individual": ("Personal", "Staff"),
        "authoredOn": ("Frågat", "Asked"),
        "lastModified": ("Ändrat", "Changed"),
        "period": ("Tid", "Time"),
        "period.start": ("Börjar", "Starts"),
        "period.end": ("Slutar", "Ends"),
        "executionPeriod.start": ("Börjar", "Starts"),
        "executionPeriod.end": ("Slutar", "Ends"),
        "restriction": ("Ska vara klart", "Due"),
        "focus": ("Gäller", "Concerns"),
        "encounter": ("Vårdkontakt", "Care contact"),
        "basedOn": ("Enligt plan", "By the plan"),
        "partOf": ("Del av", "Part of"),
        "input": ("Underlag", "Input"),
        "output": ("Utfall", "Outcome"),
        "location": ("Plats", "Place"),
        "hospitalization": ("Inläggning", "Admission"),
        "activity": ("Insats", "Activity"),
        "goal": ("Mål", "Goal"),
        "meta.tag": ("Lagrum", "Legal basis"),
        "meta.security": ("Märkning", "Label"),
        "name": ("Namn", "Name"),
        "telecom": ("Telefon", "Telephone"),
        "address": ("Adress", "Address"),
        "birthDate": ("Född", "Born"),
        "gender": ("Kön", "Sex"),
        "extension": ("Tillägg", "Extension"),
    }
)
"""What people call an element, by its path below the resource, Swedish and English."""


def language_of(chosen: str | None, accept: str) -> Language:
    """The language chosen, else the first of Accept-Language that is ours, else Swedish."""
    for language in LANGUAGES:
        if chosen == language:
            return language
    for offer in accept.split(","):
        tag = offer.split(";")[0].strip().lower()[:2]
        for language in LANGUAGES:
            if tag == language:
                return language
    return "sv"
