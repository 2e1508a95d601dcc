"""Fill django-helpdesk, whose database is migrated: ``python -m benchmarks.peer.server.fill TICKETS``.

Runs in its own environment, and prints what logs in, as JSON: ``{"queue", "token", "session"}``.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model  # noqa: E402
from django.contrib.sessions.backends.cached_db import SessionStore  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from helpdesk.models import Queue, Ticket  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

from benchmarks.peer.samples import CUSTOMER, DESCRIPTION, SEVERITIES, subject  # noqa: E402

BATCH = 2_000


def main(count: int) -> dict[str, object]:
    """Make somebody of the staff, a queue, and tickets; returns what logs in."""
    user = get_user_model().objects.create_user("ada", "ada@vendor.example", is_staff=True)
    queue = Queue.objects.create(title="Connect Support", slug="con")
    now = timezone.now()
    tickets = (
        Ticket(
            queue=queue,
            title=subject(number),
            description=DESCRIPTION,
            submitter_email=CUSTOMER,
            priority=1 + number % len(SEVERITIES),
            created=now + timedelta(seconds=number - count),
        )
        for number in range(1, count + 1)
    )
    Ticket.objects.bulk_create(tickets, batch_size=BATCH)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return {"queue": queue.pk, "token": Token.objects.create(user=user).key, "session": session.session_key}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
