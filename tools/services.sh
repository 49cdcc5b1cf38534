#!/usr/bin/env bash
# Start PostgreSQL and Redis for the tests where they are installed and not running yet.
set -uo pipefail
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
as_postgres() { if [ "$(id -u)" = 0 ]; then su postgres -c "$1"; else sudo -n -u postgres sh -c "$1"; fi; }

if command -v pg_lsclusters >/dev/null && ! listening 5432; then
  # Trust on the loopback: a throw-away server for tests.
  version=$(pg_lsclusters -h | awk '$3 == 5432 {print $1; exit}')
  file="/etc/postgresql/$version/main/pg_hba.conf"
  as_postgres "sed -i -E '/^host +all +all +(127.0.0.1|::1)/s/[a-z0-9-]+\$/trust/' '$file' && pg_ctlcluster $version main start"
  for _ in $(seq 50); do listening 5432 && break; sleep 0.2; done
fi
if listening 5432 && command -v psql >/dev/null; then
  psql -h 127.0.0.1 -U postgres -tAc "SELECT 1 FROM pg_database WHERE datname = 'test'" | grep -q 1 ||
    createdb -h 127.0.0.1 -U postgres test
fi
if command -v redis-server >/dev/null && ! listening 6379; then
  redis-server --daemonize yes --bind 127.0.0.1 --save '' --dir /tmp >/dev/null
  for _ in $(seq 50); do listening 6379 && break; sleep 0.2; done
fi
exit 0
