# SPDX-License-Identifier: PostgreSQL
import pytest
from sqlalchemy import Column, Integer, MetaData, Table
from sqlmodel import SQLModel

from app import settings
from app.startup import SEED, SchemaMismatch, check_schema, prepare_database


def names(client):
    return [item["name"] for item in client.get("/items").json()]


def test_starting_again_changes_nothing(client):
    before = names(client)
    prepare_database()
    assert names(client) == before


def test_the_seed_is_there(client):
    assert {row["name"] for row in SEED} <= set(names(client))


def test_a_table_that_no_migration_made_is_found(client):
    metadata = MetaData()
    for table in SQLModel.metadata.sorted_tables:
        table.to_metadata(metadata)
    check_schema(metadata)
    Table("forgotten", metadata, Column("id", Integer, primary_key=True))
    with pytest.raises(SchemaMismatch, match="forgotten"):
        check_schema(metadata)


@pytest.mark.parametrize("url", ["", "mysql://u:p@h/d"])
def test_without_a_postgresql_url_it_says_what_to_set(url):
    with pytest.raises(SystemExit, match="set DATABASE_URL=postgresql://"):
        settings.from_environment({"DATABASE_URL": url})


def test_the_short_scheme_is_understood():
    read = settings.from_environment({"DATABASE_URL": "postgres://u:p@h/d"})
    assert read.database_url == "postgresql://u:p@h/d"
