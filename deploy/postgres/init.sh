#!/bin/bash
# Runs once, when the volume is empty: one role and its databases for us, one for Temporal, neither a superuser.
set -euo pipefail
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  -v database_password="$DATABASE_PASSWORD" -v temporal_password="$TEMPORAL_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE casebound LOGIN PASSWORD :'database_password';
CREATE DATABASE casebound OWNER casebound;
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE casebound, temporal, temporal_visibility FROM PUBLIC;
SQL
