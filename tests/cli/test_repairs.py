"""`docsredirect reconcile` and `docsredirect restore`, in real processes."""

import json

from tests.cli.commands import DJANGO, SIX, Cli


def _target(cli: Cli, path: str) -> str:
    return str(cli("resolve", path).rows[0]["location"])


def test_reconcile_publishes_what_was_committed(loaded: Cli) -> None:
    """With the table of before a change put back, reconciling publishes the change again."""
    table = (loaded.store / "table.json").read_bytes()
    loaded("import", loaded.file("new.jsonl", {**SIX, "target": "https://new.example.org/"}))
    (loaded.store / "table.json").write_bytes(table)
    assert _target(loaded, "/six/") == SIX["target"]
    assert loaded("reconcile").out == b"1 rows published, 0 shards rebuilt, 0 leftovers removed, 0 objects damaged.\n"
    assert _target(loaded, "/six/") == "https://new.example.org/"


def test_reconcile_counts_damage_and_fails(loaded: Cli) -> None:
    """An object that cannot be read is exit 1; its row stays."""
    (loaded.store / "projects/six.json").write_bytes(b"\x00")
    done = loaded("reconcile", fails=True)
    assert done.status == 1
    assert done.out.endswith(b"1 objects damaged.\n")
    assert _target(loaded, "/six/") == SIX["target"]


def test_a_new_epoch_replaces_a_table_that_cannot_be_read(loaded: Cli) -> None:
    """Without --new-epoch a damaged table.json is a plain sentence; with it the table is built anew."""
    old = json.loads((loaded.store / "table.json").read_bytes())
    (loaded.store / "table.json").write_bytes(b"\x00")
    done = loaded("reconcile", fails=True)
    assert done.status == 1
    assert done.err.startswith("Error: table.json cannot be read")
    loaded("reconcile", "--new-epoch", "--follows", "0123456789abcdef")
    new = json.loads((loaded.store / "table.json").read_bytes())
    assert {old["epoch"], "0123456789abcdef"} <= set(new["follows"])
    assert _target(loaded, "/six/") == SIX["target"]


def test_wrong_use_of_reconcile(loaded: Cli) -> None:
    """--follows alone, and what is no epoch, exit 2 and change nothing."""
    before = (loaded.store / "table.json").read_bytes()
    assert loaded("reconcile", "--follows", "0123456789abcdef", fails=True).status == 2
    assert loaded("reconcile", "--new-epoch", "--follows", "x", fails=True).status == 2
    assert (loaded.store / "table.json").read_bytes() == before


def test_restore_goes_back_to_a_kept_table(loaded: Cli) -> None:
    """What was changed goes back as a new revision; what is not kept is a plain sentence."""
    loaded("import", loaded.file("new.jsonl", {**SIX, "target": "https://new.example.org/"}, DJANGO))
    done = loaded("restore", "--sequence", "1")
    assert done.out == b"0 created, 1 changed, 1 unchanged, 0 refused.\n"
    assert _target(loaded, "/six/") == SIX["target"]
    assert json.loads((loaded.store / "projects/six.json").read_bytes())["revision"] == 3
    assert "There is no kept table" in loaded("restore", "--sequence", "99", fails=True).err
    assert loaded("restore", "--sequence", "1", "--epoch", "x", fails=True).status == 2
