"""The one tree of errors that people read: a stable code, an HTTP status, what to do next."""

from __future__ import annotations


class HubError(Exception):
    """Base of every error that the hub reports to a person or a client.

    ``code`` never changes once released; ``issue`` is the FHIR IssueType
    (http://hl7.org/fhir/R4/valueset-issue-type.html); ``expression`` names the place at fault.
    The message is a sentence that tells the reader what to do. It never holds patient data.
    """

    code = "internal"
    status = 500
    issue = "exception"

    def __init__(self, message: str, *, expression: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.expression = expression


class SettingError(HubError):
    """A setting is missing or wrong; ``expression`` is its name."""

    code = "setting"


class InvalidRequest(HubError):
    """The request cannot be understood."""

    code, status, issue = "invalid", 400, "invalid"


class UnknownParameter(InvalidRequest):
    """A search parameter or option that the hub does not have."""

    code, issue = "unknown-parameter", "not-supported"


class TooCostly(HubError):
    """The request would read too much."""

    code, status, issue = "too-costly", 403, "too-costly"


class NotSignedIn(HubError):
    """No valid credential came with the request."""

    code, status, issue = "not-signed-in", 401, "login"


class Forbidden(HubError):
    """The actor may not do this."""

    code, status, issue = "forbidden", 403, "forbidden"


class NotFound(HubError):
    """No such thing."""

    code, status, issue = "not-found", 404, "not-found"


class NotAllowed(HubError):
    """The address has no such method, or the interaction is not offered."""

    code, status, issue = "not-allowed", 405, "not-supported"


class NotAcceptable(HubError):
    """The hub cannot answer in the format that was asked for."""

    code, status, issue = "not-acceptable", 406, "not-supported"


class Conflict(HubError):
    """Another writer was first."""

    code, status, issue = "conflict", 409, "conflict"


class Gone(HubError):
    """The resource was deleted."""

    code, status, issue = "gone", 410, "deleted"


class PreconditionFailed(HubError):
    """If-Match or a conditional did not hold."""

    code, status, issue = "precondition-failed", 412, "conflict"


class TooLarge(HubError):
    """The body or message is over its limit."""

    code, status, issue = "too-large", 413, "too-long"


class UnsupportedMedia(HubError):
    """The body is in a format that the hub does not read."""

    code, status, issue = "unsupported-media", 415, "not-supported"


class Unprocessable(HubError):
    """The content breaks a rule of FHIR R4 or of the hub."""

    code, status, issue = "unprocessable", 422, "processing"


class TooMany(HubError):
    """The caller has as many of these under way as it may; a later request can pass."""

    code, status, issue = "too-many", 429, "throttled"


class TryAgain(HubError):
    """The store is down or the backlog full; the same request may pass later."""

    code, status, issue = "try-again", 503, "transient"


class MappingError(HubError):
    """A mapping file is wrong; the message names file, line and rule."""

    code = "mapping"
