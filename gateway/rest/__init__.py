"""The FHIR RESTful API over HTTP: routes, interactions and operations, named as the specification names them."""
