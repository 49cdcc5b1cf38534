"""The gateway's database: tables of teams and virtual keys, their migrations, SQLite or PostgreSQL by URL."""
