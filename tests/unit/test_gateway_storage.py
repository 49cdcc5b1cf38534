"""The schema: made by itself when fresh, never started on when it does not fit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import CliRunner

from gateway.storage import schema
from gateway.storage.__main__ import storage
from gateway.storage.database import database_url, open_database
from gateway.storage.schema import VERSION_TABLE, prepare
from gateway.storage.secrets import secret_file
from gateway.storage.tables import METADATA
from kakehashi.errors import ConfigError, NotReady
from kakehashi.settings import Settings


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/g.db"


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = open_database(url)
    yield engine
    engine.dispose()


def run(engine: sa.Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_the_migrations_make_exactly_the_tables_of_the_code(engine: sa.Engine) -> None:
    prepare(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_preparing_twice_changes_nothing(engine: sa.Engine) -> None:
    prepare(engine)
    prepare(engine)


def test_migrations_go_both_ways(engine: sa.Engine) -> None:
    prepare(engine)
    with schema._locked(engine) as connection:
        command.downgrade(schema._config(connection), "base")
    kept = {"audit_entries", "audit_keys", "audit_checkpoints"}  # never dropped: versions without Alembic had them
    assert set(METADATA.tables) & set(sa.inspect(engine).get_table_names()) == kept
    prepare(engine)


def test_several_processes_may_start_at_once(url: str) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        engine = open_database(url)
        try:
            prepare(engine)
        except BaseException as error:  # noqa: BLE001 - carried to the test's thread
            failures.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_newer_schema_is_refused(engine: sa.Engine) -> None:
    prepare(engine)
    run(engine, "UPDATE gateway_schema SET version_num = '9999'")
    with pytest.raises(ConfigError, match=r"9999.*newer"):
        prepare(engine)


def test_an_older_schema_is_migrated_only_where_that_is_wanted(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(engine, "CREATE TABLE gateway_schema (version_num VARCHAR(32))")
    run(engine, "INSERT INTO gateway_schema VALUES ('0000')")
    monkeypatch.setattr(schema, "steps", lambda: ["0001", "0000"])
    with pytest.raises(ConfigError, match=r"is 0000; this version needs 0001") as caught:
        prepare(engine, upgrade=False)
    assert "python -m gateway.storage upgrade" in caught.value.hint


def test_a_missing_column_is_refused_whatever_the_version_says(engine: sa.Engine) -> None:
    prepare(engine)
    run(engine, "ALTER TABLE virtual_keys DROP COLUMN tpm")
    with pytest.raises(ConfigError, match="virtual_keys lacks tpm"):
        prepare(engine)


def test_tables_without_a_version_are_refused(engine: sa.Engine) -> None:
    run(engine, "CREATE TABLE teams (id VARCHAR)")
    with pytest.raises(ConfigError, match="without a schema version"):
        prepare(engine)


def test_a_database_that_cannot_be_opened_is_said_without_its_url(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/no/such/folder/secretname.db")
    with pytest.raises(NotReady) as caught:
        prepare(engine)
    assert "secretname" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://h/d", "nonsense", "", "oracle://x"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="database_url"):
        open_database(url)


def test_urls_name_their_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path))
    assert database_url(Settings()) == f"sqlite:///{tmp_path}/gateway.db"
    for given in ("postgres://u@h/d", "postgresql://u@h/d"):
        settings = Settings.model_validate({"gateway": {"database_url": given}})
        assert database_url(settings) == "postgresql+psycopg://u@h/d"


def test_the_upgrade_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path))
    result = CliRunner().invoke(storage, ["upgrade"])
    assert result.exit_code == 0 and "up to date" in result.output


def test_a_secret_is_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "salt.key"
    made = secret_file(path)
    assert len(made) == 32 and secret_file(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["salt.key"]
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match="32 bytes"):
        secret_file(path)


def test_steps_are_those_that_alembic_knows() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(schema._MIGRATIONS))
    assert schema.steps() == [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
