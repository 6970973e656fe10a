"""FHIR's GraphQL, the read side: a schema from the definitions, and queries within bounds.

https://hl7.org/fhir/R4/graphql.html
"""
