"""The words of the inbox and of its messages: Swedish and English."""

from __future__ import annotations

INBOX: dict[str, tuple[str, str]] = {
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
}
