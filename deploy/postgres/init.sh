#!/bin/bash
# Runs once, when the volume is empty: one log-in and its databases for us, with the two roles that it takes
# (docs/decisions/0005), one log-in for Temporal; no superuser, none that may make roles.
set -euo pipefail
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  -v database_password="$DATABASE_PASSWORD" -v temporal_password="$TEMPORAL_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE casebound LOGIN PASSWORD :'database_password';
CREATE ROLE casebound_api NOLOGIN;
CREATE ROLE casebound_service NOLOGIN;
GRANT casebound_api, casebound_service TO casebound WITH INHERIT FALSE, SET TRUE;
CREATE DATABASE casebound OWNER casebound;
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE casebound, temporal, temporal_visibility FROM PUBLIC;
SQL
