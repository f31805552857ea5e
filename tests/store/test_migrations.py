"""Migrations: what they make is what the code expects, and nobody has to stand still for them."""

import ast
import re
import shutil
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import any_, column, literal, select, table, text

from bridge.errors import StoreOutdated, StoreUnavailable
from bridge.store import Store
from bridge.store import migrate as migrating
from bridge.store.engine import REVISION
from bridge.store.tables import metadata
from tests.patience import SECONDS

# What says how the server is to keep a table waits for nobody, and nobody for it.
_KEEPING = re.compile(r"'ALTER TABLE \w+ SET \(autovacuum_vacuum_scale_factor = [\d.]+\)'")
VERSIONS = migrating.FOLDER / "versions"
FILES = sorted(VERSIONS.glob("[0-9]*.py"))
on_postgresql = pytest.mark.parametrize("empty_url", ["postgres"], indirect=True)


@pytest.fixture
def store(empty_url):
    opened = Store.open(empty_url, connections=4)
    yield opened
    opened.close()


# --- the lint ------------------------------------------------------------------------------------


def faults(source: str) -> list[str]:
    """What in a migration file could take something away, or hold up who is at work.

    It may create tables, with their indexes, add columns that need no value, and say how often the
    server vacuums; other indexes are built by migrate.py, beside the traffic. Locks are waited for
    as long as migrate.py says.
    """
    tree = ast.parse(source)
    made, found = set(), []
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "op"
    ]
    other = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name)
        and node.id == "op"
        and not any(
            isinstance(call.func, ast.Attribute) and call.func.value is node for call in calls
        )
    ]
    if other:
        found.append("op is used otherwise than by calling it")
    for call in sorted(calls, key=lambda one: one.lineno):
        assert isinstance(call.func, ast.Attribute)
        name = call.func.attr
        words = [str(arg.value) for arg in call.args if isinstance(arg, ast.Constant)]
        if name == "create_table":
            made.add(words[0])
        elif name == "create_index":
            if words[1] not in made:
                found.append(f"an index on {words[1]}, which is there already")
        elif name == "add_column":
            given = {one.arg: one.value for one in ast.walk(call) if isinstance(one, ast.keyword)}
            free = given.get("nullable")
            if "server_default" not in given and not (
                isinstance(free, ast.Constant) and free.value is True
            ):
                found.append(f"a column of {words[0]} that needs a value")
        elif name == "execute" and _KEEPING.fullmatch(ast.unparse(call.args[0])):
            pass
        elif name != "get_context" or call not in _asked_for_the_dialect(tree):
            found.append(f"op.{name}")
    return found


def _asked_for_the_dialect(tree: ast.AST) -> list[ast.expr]:
    """Give what stands before `.dialect.name`: the one thing that a context may be asked for."""
    return [
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "name"
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "dialect"
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_migration_only_adds(path: Path) -> None:
    assert faults(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("op.drop_column('orders', 'told')", "op.drop_column"),
        ("op.drop_table('probes')", "op.drop_table"),
        ("op.rename_table('probes', 'trials')", "op.rename_table"),
        ("op.alter_column('orders', 'told', new_column_name='sums')", "op.alter_column"),
        ("op.execute('LOCK TABLE orders')", "op.execute"),
        ("op.execute('SET lock_timeout = 0')", "op.execute"),
        ("op.execute('ALTER TABLE orders SET (autovacuum_enabled = 0)')", "op.execute"),
        (
            "op.execute('ALTER TABLE a SET (autovacuum_vacuum_scale_factor = 1); DROP TABLE a')",
            "op.execute",
        ),
        (
            "op.execute(f'ALTER TABLE {a} SET (autovacuum_vacuum_scale_factor = 1)')",
            "op.execute",
        ),
        ("op.get_context().bind.exec_driver_sql('DROP TABLE probes')", "op.get_context"),
        ("op.create_index('a', 'orders', ['told'])", "an index on orders, which is there already"),
        (
            "op.add_column('orders', sa.Column('a', sa.Text(), nullable=False))",
            "a column of orders that needs a value",
        ),
        (
            "op.add_column('orders', sa.Column('a', sa.Text()))",
            "a column of orders that needs a value",
        ),
        ("change = op.get_bind; change()", "op.get_bind"),
        ("getattr(op, 'drop_table')('probes')", "op is used otherwise than by calling it"),
    ],
)
def test_the_lint_sees_what_a_migration_must_not_do(line: str, fault: str) -> None:
    found = faults(f"def upgrade():\n    {line}\n")
    assert found in ([fault], ["op is used otherwise than by calling it"])


def test_the_revision_in_the_code_is_that_of_the_last_file() -> None:
    assert FILES[-1].name.startswith(f"{REVISION}_")


# --- what they make ------------------------------------------------------------------------------


def test_the_migrations_make_the_tables_and_indexes_that_the_code_names(store) -> None:
    store.migrate()
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@on_postgresql
def test_the_queues_are_vacuumed_before_much_of_them_is_dead(store) -> None:
    store.migrate()
    catalog = table("pg_class", column("relname"), column("reloptions"))
    often = "autovacuum_vacuum_scale_factor=0.02"
    kept = select(catalog.c.relname).where(literal(often) == any_(catalog.c.reloptions))
    found = store.read(lambda c: c.execute(kept).scalars().all())
    assert sorted(found) == ["batches", "inbox", "orders"]


def test_an_index_that_is_missing_is_built_and_one_that_broke_off_is_built_again(store) -> None:
    store.migrate()
    store.write(lambda c: c.execute(text("DROP INDEX inbox_done")))
    store.migrate()
    if not store.on_sqlite:
        broken = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'inbox_done'::regclass"
        store.write(lambda c: c.execute(text(broken)))
        store.migrate()
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'inbox_done'::regclass"
        assert store.read(lambda c: c.execute(text(valid)).scalar_one())
    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_several_may_migrate_at_once(empty_url) -> None:
    stores = [Store.open(empty_url) for _ in range(3)]
    threads = [threading.Thread(target=one.migrate) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in stores:
        one.check_schema()
        one.close()


# --- while others are at work --------------------------------------------------------------------


def expanding(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the next release's migration behind ours."""
    shutil.copytree(migrating.FOLDER, folder / "migrations")
    (folder / "migrations" / "versions" / "9999_next.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        'revision, down_revision = "9999", "' + REVISION + '"\n'
        "def upgrade():\n"
        '    op.add_column("orders", sa.Column("next", sa.Text(), nullable=True))\n'
        '    op.create_table("nexts", sa.Column("id", sa.Text(), primary_key=True))\n'
    )
    monkeypatch.setattr(migrating, "FOLDER", folder / "migrations")


@on_postgresql
def test_a_migration_waits_two_seconds_for_a_table_stands_back_and_tries_again(
    store, tmp_path, monkeypatch
) -> None:
    store.migrate()
    expanding(tmp_path, monkeypatch)
    behind: list[float] = []
    with store.engine.connect() as holder:
        holder.execute(text("SELECT count(*) FROM orders"))
        thread = threading.Thread(target=store.migrate)
        thread.start()
        # Readers that come meanwhile queue behind the migration. They get through while the holder
        # still has the table only because the migration stands back.
        give_up = time.monotonic() + SECONDS
        while max(behind, default=0) < 1 or len(behind) < 10:
            assert time.monotonic() < give_up, "no reader had to wait"
            began = time.monotonic()
            store.read(lambda c: c.execute(text("SELECT count(*) FROM orders")))
            behind.append(time.monotonic() - began)
        assert thread.is_alive()
        holder.rollback()
    thread.join()
    store.check_schema(at_work=True)
    with pytest.raises(StoreOutdated, match="made by a newer release"):
        store.check_schema()


@on_postgresql
def test_a_table_that_stays_in_use_is_told_and_nothing_is_half_done(
    store, tmp_path, monkeypatch
) -> None:
    store.migrate()
    expanding(tmp_path, monkeypatch)
    monkeypatch.setattr(migrating, "_TRIES", 1)
    with store.engine.connect() as holder:
        holder.execute(text("SELECT count(*) FROM orders"))
        with pytest.raises(StoreUnavailable):
            store.migrate()
    store.check_schema()
