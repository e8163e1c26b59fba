"""`docsredirect purge`: makes the CDN forget projects, with the store and the admin side down as well."""

import click

from docsredirect.cdn import open_purger
from docsredirect.cli import terminal
from docsredirect.cli.parameters import PROJECT, agree, yes_option
from docsredirect.domain import names, purges
from docsredirect.domain.settings import Settings


@click.command(short_help="Make the CDN forget projects at once.")
@click.argument("projects", type=PROJECT, nargs=-1, metavar="[PROJECT]…")
@click.option("--all", "everything", is_flag=True, help="Forget every answer of this service. Asks first.")
@click.option("--soft", is_flag=True, help="Fetch anew, but keep the old answer for when no edge answers.")
@yes_option
@terminal.failures_shown
def purge(projects: tuple[str, ...], everything: bool, soft: bool, yes: bool) -> None:
    """Make the CDN of DOCSREDIRECT_PURGE forget what it keeps of each PROJECT: the next reader's request asks an edge.

    The admin side purges by itself what is changed. This is for what it does not know of: a project in the deny file
    of the edges, and a CDN that was not told. Neither the store nor the admin side is asked.

    \b
      docsredirect purge markdown
      docsredirect purge --all --soft
    """
    if everything == bool(projects):
        raise click.UsageError("Give the projects to forget, or --all.")
    settings = terminal.load_settings().settings
    if settings.purge is None:
        raise terminal.WrongUse("DOCSREDIRECT_PURGE names no CDN. Set it and DOCSREDIRECT_PURGE_TOKEN.")
    if everything:
        agree(
            "Make the CDN forget every answer? All readers are answered by the edges until it knows them again.",
            yes=yes,
        )
    keys = [purges.ALL] if everything else sorted({purges.key_of(names.normalise(each) or each) for each in projects})
    terminal.run(_purge(settings, keys, hard=not soft))
    click.echo(f"The CDN was told to forget {'everything' if everything else ', '.join(keys)}.")


async def _purge(settings: Settings, keys: list[str], *, hard: bool) -> None:
    assert settings.purge is not None
    async with open_purger(settings.purge, settings.purge_token or "", settings.purge_api) as purger:
        await purger.purge(keys, hard=hard)
