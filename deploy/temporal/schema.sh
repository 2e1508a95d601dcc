#!/bin/sh
# Temporal's tables to the newest version that this image knows; safe to repeat. SQL_* say where.
set -eu
for store in temporal:temporal temporal_visibility:visibility; do
  database=${store%%:*}
  temporal-sql-tool --db "$database" setup-schema -v 0.0
  temporal-sql-tool --db "$database" update-schema -d "/etc/temporal/schema/postgresql/v12/${store##*:}/versioned"
done
