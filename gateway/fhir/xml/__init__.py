"""Resources as XML: the same content as in JSON, both ways, nothing lost.

https://hl7.org/fhir/R4/xml.html

`parse` gives the JSON resource that an XML document stands for, `dump` the XML of a JSON resource. Both go by the
definitions, so there is no list of types here: the order of elements, what repeats and what is an attribute is known
from them. What the values may be is the structural check's business (`gateway.fhir.check`), in both formats.
"""

from typing import Final

from gateway.fhir import media
from gateway.fhir.xml.reader import parse, read
from gateway.fhir.xml.writer import dump

MEDIA_TYPE: Final = media.XML

__all__ = ["MEDIA_TYPE", "dump", "parse", "read"]
