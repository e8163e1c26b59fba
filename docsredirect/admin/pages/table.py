"""Every page: where it is, whom it is for, and what answers."""

from docsredirect.admin.access import INVITATIONS
from docsredirect.admin.pages import (
    issuing,
    overview,
    project,
    project_ending,
    project_history,
    projects,
    saving,
    signing_in,
    tokens,
    trying,
)
from docsredirect.admin.pages.own_projects import PATH, of_project
from docsredirect.admin.pages.visits import For, Page

PAGES: tuple[Page, ...] = (
    Page("GET", signing_in.SIGN_IN, For.ANYBODY, signing_in.show_sign_in),
    Page("POST", signing_in.SIGN_IN, For.ANYBODY, signing_in.sign_in),
    Page("POST", "/sign-out", For.ANYBODY, signing_in.sign_out),
    Page("GET", f"{INVITATIONS}{{invitation}}", For.ANYBODY, signing_in.show_invitation),
    Page("POST", f"{INVITATIONS}{{invitation}}", For.ANYBODY, signing_in.take_up_invitation),
    Page("GET", PATH, For.SIGNED_IN, of_project(project.show)),
    Page("POST", PATH, For.SIGNED_IN, of_project(project.send)),
    Page("POST", f"{PATH}/preview", For.SIGNED_IN, of_project(project.preview)),
    Page("GET", f"{PATH}/saved", For.SIGNED_IN, of_project(saving.show_saved, "/saved")),
    Page("GET", f"{PATH}/history", For.SIGNED_IN, of_project(project_history.show, "/history")),
    Page("POST", f"{PATH}/history", For.SIGNED_IN, of_project(project_history.restore)),
    Page("GET", f"{PATH}/withdraw", For.SIGNED_IN, of_project(project_ending.show("withdraw"), "/withdraw")),
    Page("POST", f"{PATH}/withdraw", For.SIGNED_IN, of_project(project_ending.confirm("withdraw"))),
    Page("GET", f"{PATH}/remove", For.SIGNED_IN, of_project(project_ending.show("remove"), "/remove")),
    Page("POST", f"{PATH}/remove", For.SIGNED_IN, of_project(project_ending.confirm("remove"))),
    Page("GET", "/", For.SIGNED_IN, projects.show_projects),
    Page("GET", "/try", For.SIGNED_IN, trying.show_try),
    Page("GET", tokens.TOKENS, For.ADMIN, tokens.show_tokens),
    Page("POST", tokens.TOKENS, For.ADMIN, issuing.make),
    Page("GET", f"{tokens.TOKENS}/{{id}}/revoke", For.ADMIN, tokens.show_revoking),
    Page("POST", f"{tokens.TOKENS}/{{id}}/revoke", For.ADMIN, tokens.revoke),
    Page("GET", "/overview", For.ADMIN, overview.show_overview),
)
