#!/bin/sh
# Of the image that make-image makes: does for PostgreSQL and Redis what the entry points of their own images do, as far as docker-compose.yml
# needs it, and runs anything else as it is.
set -eu

if [ "${1:-}" = postgres ]; then
  mkdir -p "$PGDATA"
  chown postgres:postgres "$PGDATA"
  chmod 700 "$PGDATA"
  as_postgres='setpriv --reuid=postgres --regid=postgres --init-groups --'
  # written last: a start that was killed in the middle has left no cluster
  made=$PGDATA/made-by-liftlock
  if [ ! -e "$made" ]; then
    : "${POSTGRES_PASSWORD:?the password of the superuser}"
    file=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" >"$file"
    chown postgres "$file"
    find "$PGDATA" -mindepth 1 -delete
    $as_postgres initdb --username=postgres --pwfile="$file" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >&2
    rm "$file"
    printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    printf "listen_addresses = '*'\nunix_socket_directories = ''\n" >>"$PGDATA/postgresql.conf"
    touch "$made"
  fi
  exec $as_postgres "$@"
fi

if [ "${1:-}" = redis-server ]; then
  mkdir -p /data
  chown -R redis:redis /data
  exec setpriv --reuid=redis --regid=redis --init-groups -- "$@"
fi
exec "$@"
