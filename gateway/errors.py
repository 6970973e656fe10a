"""Errors: every way to refuse a command, with its HTTP status and its FHIR issue code.

    GatewayError
    ├── BadRequest 400 invalid          the request cannot be understood
    ├── Unauthenticated 401 login       who is asking is not known
    ├── Forbidden 403 forbidden         known, and not allowed
    ├── NotFound 404 not-found          nothing there, or nothing that the caller may know of
    ├── MethodNotAllowed 405 not-supported
    ├── NotAcceptable 406 not-supported
    ├── RequestTimeout 408 timeout      what was to be sent did not come in time
    ├── Conflict 409 conflict           what is stored says otherwise
    ├── Gone 410 deleted
    ├── PreconditionFailed 412 conflict
    ├── TooLarge 413 too-long
    ├── UnsupportedMediaType 415 not-supported
    ├── Unprocessable 422 processing    understood, and wrong
    │   ├── Invalid 422 invariant       the resource breaks the structural rules
    │   └── BusinessRule 422 business-rule  what the parties have agreed says otherwise
    ├── PreconditionRequired 428 required
    ├── TooManyRequests 429 throttled   wait until some are answered
    └── Unavailable 503 transient       try again

The docstring of a class is its default message. One handler turns any of them into an OperationOutcome.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from gateway.issues import Issue


class GatewayError(Exception):
    """The request was refused."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "exception"

    def __init__(
        self,
        text: str | None = None,
        *,
        rule: str | None = None,
        expression: str | None = None,
        where: str | None = None,
        issues: Iterable[Issue] = (),
    ) -> None:
        self.text = text or (type(self).__doc__ or "").strip()
        first = Issue("error", self.code, rule or type(self).rule(), self.text, where, expression)
        self.issues: tuple[Issue, ...] = tuple(issues) or (first,)
        super().__init__(self.text)

    def told(self, issues: Iterable[Issue]) -> GatewayError:
        """The same refusal, with these issues."""
        return type(self)(self.text, issues=issues)

    @classmethod
    def rule(cls) -> str:
        """The class name in kebab-case: the stable code where no finer one is given."""
        return "".join("-" + c.lower() if c.isupper() else c for c in cls.__name__).lstrip("-")


class BadRequest(GatewayError):
    """The request cannot be understood."""

    status, code = 400, "invalid"


class Unauthenticated(GatewayError):
    """Say who you are: send a bearer token."""

    status, code = 401, "login"


class Forbidden(GatewayError):
    """You may not do this."""

    status, code = 403, "forbidden"


class NotFound(GatewayError):
    """There is nothing here."""

    status, code = 404, "not-found"


class MethodNotAllowed(GatewayError):
    """This interaction is not offered here."""

    status, code = 405, "not-supported"


class NotAcceptable(GatewayError):
    """The answer cannot be given in a format you accept."""

    status, code = 406, "not-supported"


class RequestTimeout(GatewayError):
    """The request did not come in time: send it again."""

    status, code = 408, "timeout"


class Conflict(GatewayError):
    """What is stored says otherwise."""

    status, code = 409, "conflict"


class Gone(GatewayError):
    """The resource was deleted."""

    status, code = 410, "deleted"


class PreconditionFailed(GatewayError):
    """The resource is not at the version you named."""

    status, code = 412, "conflict"


class TooLarge(GatewayError):
    """The body is larger than is accepted here."""

    status, code = 413, "too-long"


class UnsupportedMediaType(GatewayError):
    """The body's media type is not read here."""

    status, code = 415, "not-supported"


class Unprocessable(GatewayError):
    """The request was understood and cannot be done."""

    status, code = 422, "processing"


class Invalid(Unprocessable):
    """The resource breaks the rules of its type."""

    status, code = 422, "invariant"


class BusinessRule(Unprocessable):
    """The rules that the parties have agreed do not allow it."""

    status, code = 422, "business-rule"


class PreconditionRequired(GatewayError):
    """Name the version you change: send If-Match."""

    status, code = 428, "required"


class TooManyRequests(GatewayError):
    """Too much is asked at once: wait until some is answered."""

    status, code = 429, "throttled"


class Unavailable(GatewayError):
    """Not possible right now: try again."""

    status, code = 503, "transient"
