#!/bin/sh
# The namespace and the search attributes that cases carry; safe to repeat. TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE say where.
set -eu

attempt=0
until temporal operator cluster health; do
  attempt=$((attempt + 1))
  if [ "$attempt" -ge 60 ]; then
    echo "Temporal at $TEMPORAL_ADDRESS is not healthy after 60 tries; see its log: docker compose logs temporal" >&2
    exit 1
  fi
  sleep 1
done

temporal operator namespace describe -n "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create -n "$TEMPORAL_NAMESPACE" --retention 30d

# A new namespace takes some seconds to be known everywhere.
attempt=0
until temporal operator search-attribute create \
  --name CaseboundDesk --type Keyword \
  --name CaseboundStatus --type Keyword \
  --name CaseboundSeverity --type Keyword; do
  attempt=$((attempt + 1))
  if [ "$attempt" -ge 60 ]; then
    echo "Could not create the search attributes in namespace $TEMPORAL_NAMESPACE; the reason is above" >&2
    exit 1
  fi
  sleep 1
done
