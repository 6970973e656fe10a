"""The words of refusals: what happened, and what to do: Swedish and English."""

from __future__ import annotations

REFUSALS: dict[str, tuple[str, str]] = {
    "not-found": ("Det finns inget här", "There is nothing here"),
    "not-found-help": (
        "Sidan finns inte, eller så deltar du inte i personens vård.",
        "There is no such page, or you take no part in the person's care.",
    ),
    "forbidden": ("Det får du inte göra", "You may not do this"),
    "forbidden-help": ("Skicka formuläret från sidan själv.", "Send the form from the page itself."),
    "not-your-worklist": ("Det är en annan enhets arbetslista", "This is another unit's worklist"),
    "not-your-worklist-help": (
        "Du ser din egen enhets lista, och den som är ställd till din vårdgivare.",
        "You see the list of your own unit, and the one that is addressed to your care provider.",
    ),
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
