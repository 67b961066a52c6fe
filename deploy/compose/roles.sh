#!/bin/sh
# Run once by the Postgres image, on an empty database: the daemon's role and its database, and Grafana's, which only
# reads, for a few seconds at most, what a migration grants it.
set -eu

psql --set ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres \
  --set pregao="$(cat /run/secrets/postgres/pregao)" --set grafana="$(cat /run/secrets/postgres/grafana)" <<'SQL'
CREATE ROLE pregao LOGIN PASSWORD :'pregao';
CREATE DATABASE pregao OWNER pregao;
REVOKE ALL ON DATABASE pregao FROM PUBLIC;
CREATE ROLE grafana LOGIN PASSWORD :'grafana' CONNECTION LIMIT 10;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '10s';
ALTER ROLE grafana SET search_path = pregao;
ALTER ROLE grafana SET idle_in_transaction_session_timeout = '10s';
GRANT CONNECT ON DATABASE pregao TO grafana;
SQL
