"""The proofs, and what they share.

=====================  ===============================================================================================
stack.py               the whole product as a process of its own: what an operator starts
conftest.py            one such stack for each worker; for each file servers, or a Postgres, of its own
desks.py               the desk that most tests work on, its people, and how it comes to be
client.py, clock.py    one person's requests to a running stack; the clock of one case there
api_world.py           the API (worker, search) in the test's own process
world.py               a worker alone, and the door to it
search_world.py        search, with cases written past the worker
facts.py               what is in record, stream, index and mailboxes, and whether all of it is what callers were told
waiting.py             waiting for what comes about by itself
samples.py             small files of every type
receiver.py            a receiver of webhooks
dead_letters.py        what consumers gave up on
http_server.py         an HTTP server in the test's own process
s3_server.py           an S3 server
=====================  ===============================================================================================
"""
