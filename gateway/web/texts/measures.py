"""The words of the pages of measures and capacity, and of the letter to the person: Swedish and English.

The letter is plain language: short sentences, no word of the trade (https://www.mfd.se/lattlast).
"""

from __future__ import annotations

UNKNOWN = ("Okänt", "Unknown")
"""A value that is not known."""

MEASURES: dict[str, tuple[str, str]] = {
    # Measures
    "measures": ("Så går det", "How it goes"),
    "measures-help": (
        "Räknat ur uppdragens egen historik, för de personer vars vård du deltar i.",
        "Counted from the history of the missions, of the persons whose care you take part in.",
    ),
    "period-first": ("Från och med", "From"),
    "period-last": ("Till och med", "To"),
    "in-brief": ("I korthet", "In brief"),
    "brief-first-trained": (
        "tills någon utbildad är hos patienten (median)",
        "to the first trained person (median)",
    ),
    "brief-to-completion": ("tills uppdraget är slutfört (median)", "until the mission is completed (median)"),
    "brief-at-home": ("löses i hemmet", "are solved at home"),
    "brief-are-sent-on": ("skickas runt utan att någon tar dem", "are sent from one to the other"),
    "in-time": ("Svarar vi i tid?", "Are we answering in time?"),
    "in-time-plot": ("Andel besvarade i tid, per uppdragsform", "Share answered in time, by form of mission"),
    "refused": ("Vad avböjs, och varför?", "What is refused, and why?"),
    "refused-plot": ("Antal avböjda frågor, per orsak", "Refused requests, by reason"),
    "gaps-last": ("Var varar glappen längst?", "Where do gaps last longest?"),
    "gaps-plot": ("Hur länge glappen varar (median), per slag", "How long gaps last (median), by kind"),
    "by-unit": ("Per enhet", "By unit"),
    "by-municipality": ("Per kommun", "By municipality"),
    "of-mission": ("Uppdragsform", "Form of mission"),
    "of-party": ("Enhet", "Unit"),
    "of-municipality": ("Kommun", "Municipality"),
    "of-reason": ("Orsak", "Reason"),
    "of-kind": ("Slag av glapp", "Kind of gap"),
    "column-due": ("Att besvara", "To be answered"),
    "column-in-time": ("I tid", "In time"),
    "column-share": ("Andel", "Share"),
    "column-median": ("Median", "Median"),
    "column-p90": ("Nio av tio inom", "Nine in ten within"),
    "column-count": ("Antal", "Number"),
    "column-time-to-answer": ("Till accept, median", "To accept, median"),
    "refused-period-backwards": (
        "Den sista dagen får inte ligga före den första.",
        "The last day must not lie before the first.",
    ),
    "refused-too-costly": (
        "Perioden har för många uppdrag för att räknas medan du väntar: välj en kortare.",
        "The period has too many missions to be counted while you wait: choose a shorter one.",
    ),
    "few": ("för få", "too few"),
    "few-help": (
        "Tal som rör färre än fem visas inte, och inte heller det som de kunde räknas ut ur.",
        "Numbers of fewer than five are not shown, nor what they could be computed from.",
    ),
    "nothing-counted": ("Inget att räkna i perioden.", "Nothing to count in the period."),
    "not-divided": ("För få för att delas upp.", "Too few to be divided."),
    # Capacity
    "capacity": ("Vem kan ta emot?", "Who can take more?"),
    "capacity-help": (
        "Lediga platser så som de senast meddelades, och vem man ringer. Inga personer visas.",
        "Free places as they were last told, and whom to call. No persons are shown.",
    ),
    "no-capacity": ("Ingen enhet har meddelat platser.", "No unit has told of any places."),
    "service": ("Verksamhet", "Service"),
    "places": ("Platser", "Places"),
    "free-of": ("lediga av", "free of"),
    "free-places": ("lediga", "free"),
    "opening": ("Öppet", "Open"),
    "is-open": ("Öppet nu", "Open now"),
    "is-closed": ("Stängt nu", "Closed now"),
    "until": ("till", "until"),
    "opens": ("öppnar", "opens"),
    "call-whom": ("Ring", "Call"),
    "told": ("Meddelat", "Told"),
    "capacity-available": ("Har plats", "Has room"),
    "capacity-none": ("Fullt", "Full"),
    "capacity-waitlist": ("Kö", "Waiting list"),
    "capacity-assess": ("Bedöms", "Assessed case by case"),
    "capacity-": ("Inget sagt", "Nothing said"),
    # The letter
    "letter": ("Utskrift till patient och närstående", "Print for the patient and relatives"),
    "letter-title": ("Din vård just nu", "Your care right now"),
    "letter-for": ("Till", "For"),
    "letter-now": ("De här hjälper dig nu", "They are helping you now"),
    "letter-nobody": ("Ingen hjälper dig med något just nu.", "Nobody is helping you with anything right now."),
    "letter-with": ("De hjälper dig med:", "They help you with:"),
    "letter-next": ("Det här händer sedan", "This comes next"),
    "letter-nothing-next": ("Inget är bestämt.", "Nothing is decided."),
    "letter-open": ("Det här är inte klart", "This is not settled yet"),
    "letter-ask": ("Vill du veta mer? Ring", "Do you want to know more? Call"),
    "letter-no-phone": ("Fråga personalen efter telefonnumret.", "Ask the staff for the telephone number."),
    "letter-call": ("Ring", "Call"),
    "letter-wrong": (
        "Stämmer det inte? Ring den som står här ovanför. Blir du mycket sjuk: ring 112. Vill du ha råd: ring 1177.",
        "Is something wrong? Call those above. If you get very ill: call 112. For advice: call 1177.",
    ),
    "letter-date": ("Så här var det", "This is how it was on"),
    "letter-print": ("Skriv ut med webbläsarens utskrift.", "Print it with your browser."),
    "letter-back": ("Tillbaka", "Back"),
}

EASY: dict[str, tuple[str, str]] = {
    "1177-uppdrag": ("En sjuksköterska kommer hem till dig", "A nurse comes to your home"),
    "assistansuppdrag": ("En sjuksköterska kommer och hjälper till", "A nurse comes to help"),
    "ivpa-uppdrag": ("Akut hjälp medan ambulansen är på väg", "Urgent help while the ambulance is on its way"),
    "mava-uppdrag": ("En plats på sjukhuset", "A bed in hospital"),
    "referral": ("En undersökning eller behandling som du väntar på", "An examination or treatment you wait for"),
    "care-service": ("Hjälp hemma", "Help at home"),
    "sip-call": ("Ett möte om din vård ska bestämmas", "A meeting about your care is to be arranged"),
    "sip": ("Ett möte om din vård", "A meeting about your care"),
    "appoint-contact": ("Du ska få en egen kontaktperson", "You are to get a contact of your own"),
    "admission-notice": ("De vet att du är på sjukhuset", "They know that you are in hospital"),
    "discharge-ready": ("Du är snart klar att åka hem", "You will soon be ready to go home"),
    "information-transfer": ("Sjukhuset berättar för dem om din vård", "The hospital tells them of your care"),
    "pause-visits": ("Besöken hemma väntar medan du är borta", "The visits at home wait while you are away"),
    "return-contact": ("De hör av sig till dig", "They get in touch with you"),
    "place-offer": ("En plats som du kan få", "A place that you can have"),
    "gap-unowned": ("Ingen har tagit hand om en sak än.", "Nobody has taken on one thing yet."),
    "gap-unanswered": ("Vi väntar på svar.", "We are waiting for an answer."),
    "gap-overdue": ("Något skulle ha varit klart nu.", "Something should have been done by now."),
    "gap-two-owners": ("Två håller på med samma sak.", "Two are working on the same thing."),
    "gap-owner-left": ("Den som hjälpte dig har slutat.", "Those who helped you no longer do."),
    "gap-contradiction": ("Vi har fått olika besked.", "We have been told different things."),
    "gap-source-silent": ("Vi har inte hört något på länge.", "We have not heard anything for long."),
    "gap-sent-on": ("Flera har sagt nej. Ingen har tagit det än.", "Several said no. Nobody has taken it yet."),
    "gap-double-visit": ("Två kommer hem till dig samma dag.", "Two come to your home on the same day."),
    "gap-named-but-not-told": (
        "En i din plan har inte fått veta det än.",
        "Somebody in your plan has not been told yet.",
    ),
    "gap-visit-while-admitted": (
        "Ett besök hemma är bokat fast du är på sjukhus.",
        "A visit at home is booked though you are in hospital.",
    ),
    "gap-discharge-ready-without-sip-call": (
        "Ingen har bokat mötet inför att du ska hem.",
        "Nobody has arranged the meeting before you go home.",
    ),
    "gap-sip-incomplete": ("Planen för din vård är inte klar.", "The plan for your care is not complete."),
    "gap-discharged-without-contact": (
        "Du har åkt hem utan att ha fått en kontaktperson.",
        "You have gone home without a contact of your own.",
    ),
    "gap-admitted-without-notice": (
        "Sjukhuset har inte berättat för dem som hjälper dig hemma att du är där.",
        "The hospital has not told those who help you at home that you are there.",
    ),
    "gap-discharged-without-information": (
        "Sjukhuset har inte berättat för dem som hjälper dig hemma.",
        "The hospital has not told those who help you at home.",
    ),
    "gap-done-without-report": ("Vi vet inte hur det gick.", "We do not know how it went."),
}
"""What a Task is called by its code, and a gap by `gap-` and its code, in a letter."""
