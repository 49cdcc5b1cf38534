"""Alembic migrations of the gateway's tables. New ones: `alembic revision` with gateway/storage/alembic.ini."""
