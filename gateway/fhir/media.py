"""The names of what is sent and served, apart from who reads and writes it: most answers need no more than the name.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from typing import Final

JSON: Final = "application/fhir+json"
XML: Final = "application/fhir+xml"
JSON_PATCH: Final = "application/json-patch+json"
XML_PATCH: Final = "application/xml-patch+xml"
