"""`docsredirect reconcile` and `docsredirect restore`: for the day after something went wrong."""

import sys

import click

from docsredirect.cli import terminal
from docsredirect.domain import tables
from docsredirect.domain.errors import Damaged
from docsredirect.domain.projects import Author
from docsredirect.domain.tables import Row
from docsredirect.service.bulk import Imported
from docsredirect.service.commits import Outcome
from docsredirect.service.reconciler import Reconciler
from docsredirect.service.replica import read_rows
from docsredirect.service.writers import make_publisher, make_registry
from docsredirect.store import Store, open_store


@click.command(short_help="Publish what is behind; remove what is left over.")
@click.option("--new-epoch", is_flag=True, help="Build the table anew, also where table.json cannot be read.")
@click.option("--follows", multiple=True, metavar="EPOCH", help="An epoch whose edges will take the new one.")
@terminal.failures_shown
def reconcile(new_epoch: bool, follows: tuple[str, ...]) -> None:
    """Make the published table follow the objects in DOCSREDIRECT_STORE again.

    Repairs a crash between a change and its publication, and shards that were lost. With --new-epoch, after a store
    was rolled back or rebuilt, the table is built anew; edges that hold one of an epoch given with --follows (their
    /-/health/ready tells it) will take it.

    \b
      docsredirect reconcile
      docsredirect reconcile --new-epoch --follows 0123456789abcdef
    """
    if follows and not new_epoch:
        raise click.UsageError("--follows goes with --new-epoch.")
    if bad := [epoch for epoch in follows if not tables.is_epoch(epoch)]:
        raise click.UsageError(f"{bad[0]!r} is not an epoch: 16 digits of 0-9 and a-f.")
    settings = terminal.load_settings().settings
    try:
        damaged = terminal.run(_reconcile(settings.store, follows, new_epoch=new_epoch))
    except Damaged as error:
        raise click.ClickException(f"{error} Look at it, then build the table anew with --new-epoch.") from error
    if damaged:
        sys.exit(1)


async def _reconcile(url: str, follows: tuple[str, ...], *, new_epoch: bool) -> int:
    async with open_store(url) as store:
        publisher = make_publisher(store)
        if new_epoch:
            table = await publisher.begin_epoch(follows)
            click.echo(f"Epoch {table.epoch} with {table.rows} rows is published.")
        done = await Reconciler(store, publisher).reconcile()
    click.echo(
        f"{done.published} rows published, {done.rebuilt} shards rebuilt, {done.removed} leftovers removed, "
        f"{done.damaged} objects damaged."
    )
    return done.damaged


@click.command(short_help="Go back to an earlier published table.")
@click.option("--sequence", type=click.IntRange(1), required=True, metavar="N", help="The table to go back to.")
@click.option("--epoch", metavar="E", help="Its epoch, where that is not the present one.")
@terminal.failures_shown
def restore(sequence: int, epoch: str | None) -> None:
    """Write what differs from an earlier table as new revisions, and publish.

    Nothing is lost: what is replaced stays in the history. The tables that are kept are named
    tables/EPOCH-SEQUENCE.json in DOCSREDIRECT_STORE: the last hundred, and any younger than a day.

    \b
      docsredirect restore --sequence 41
    """
    settings = terminal.load_settings().settings
    restored = terminal.run(_restore(settings.store, sequence, epoch))
    for name, reason in restored.refused:
        click.echo(f"{name}: {reason}", err=True)
    counts = ", ".join(f"{restored.counts[outcome]} {outcome.value}" for outcome in Outcome)
    click.echo(f"{counts}, {len(restored.refused)} refused.")
    if restored.refused:
        sys.exit(1)


async def _restore(url: str, sequence: int, epoch: str | None) -> Imported:
    async with open_store(url) as store:
        wanted = await _kept_rows(store, sequence, epoch)
        author = Author(by="command line", reason=f"restored to sequence {sequence}")
        return await make_registry(store).restore(wanted, author)


async def _kept_rows(store: Store, sequence: int, epoch: str | None) -> dict[str, Row]:
    """Return the rows of a kept table by name."""
    if epoch is None:
        stored = await store.get(tables.TABLE_KEY)
        if stored is None:
            raise click.ClickException("Nothing is published. Name the epoch with --epoch.")
        epoch = tables.decode_table(stored.body).epoch
    elif not tables.is_epoch(epoch):
        raise click.UsageError(f"{epoch!r} is not an epoch: 16 digits of 0-9 and a-f.")
    kept = await store.get(tables.kept_key(epoch, sequence))
    if kept is None:
        raise click.ClickException(f"There is no kept table {tables.kept_key(epoch, sequence)} in {store.url}.")
    return {row.name: row for row in await read_rows(store, tables.decode_table(kept.body))}
