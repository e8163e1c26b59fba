"""Every page: where it is, whom it is for, and what answers."""

from docsredirect.admin.access import INVITATIONS
from docsredirect.admin.pages import signing_in
from docsredirect.admin.pages.visits import For, Page

PAGES: tuple[Page, ...] = (
    Page("GET", signing_in.SIGN_IN, For.ANYBODY, signing_in.show_sign_in),
    Page("POST", signing_in.SIGN_IN, For.ANYBODY, signing_in.sign_in),
    Page("POST", "/sign-out", For.ANYBODY, signing_in.sign_out),
    Page("GET", f"{INVITATIONS}{{invitation}}", For.ANYBODY, signing_in.show_invitation),
    Page("POST", f"{INVITATIONS}{{invitation}}", For.ANYBODY, signing_in.take_up_invitation),
)
