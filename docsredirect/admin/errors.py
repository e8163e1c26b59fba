"""What only HTTP can get wrong. Everything else that is raised is in the domain's tree."""

from docsredirect.domain.errors import DocsRedirectError, InvalidRecord


class InvalidBody(InvalidRecord):
    """A body, a parameter or a header breaks rules. `faults` lists every one of them."""

    code = "invalid-request"


class FormRefused(DocsRedirectError):
    """A form was not sent from a page of ours, or in another session than the page was made for."""

    code = "form-refused"
    status = 403


class NoSuchRoute(DocsRedirectError):
    """There is nothing at that path."""

    code = "no-such-route"
    status = 404


class MethodNotAllowed(DocsRedirectError):
    """There is something at that path, and it is not asked for in this way. `allowed` are the methods that are."""

    code = "method-not-allowed"
    status = 405

    def __init__(self, message: str, allowed: frozenset[str]) -> None:
        super().__init__(message)
        self.allowed = allowed


class BodyTooSlow(DocsRedirectError):
    """A body did not come in time."""

    code = "body-too-slow"
    status = 408


class BodyTooLarge(DocsRedirectError):
    """A body is larger than it may be."""

    code = "body-too-large"
    status = 413


class AddressTooLong(DocsRedirectError):
    """The request line is longer than any that is read."""

    code = "address-too-long"
    status = 414


class WrongContentType(DocsRedirectError):
    """A body is of a kind that is not read here."""

    code = "wrong-content-type"
    status = 415


class ExpectationFailed(DocsRedirectError):
    """The request expects what is not known here (RFC 9110, section 10.1.1)."""

    code = "expectation-failed"
    status = 417


class WrongHost(DocsRedirectError):
    """The request is for another host."""

    code = "wrong-host"
    status = 421


class PreconditionRequired(DocsRedirectError):
    """A write does not say what it has seen (RFC 6585, section 3)."""

    code = "precondition-required"
    status = 428


class Busy(DocsRedirectError):
    """Another import is under way."""

    code = "busy"
    status = 503
