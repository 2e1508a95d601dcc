"""How fast the search index answers, and how large it is: ``python benchmarks/search_index.py [--cases 100000]``.

Synthetic cases on two desks, words as frequent as in natural text (Zipf), 125 words a case. Each query counts its total
and all seven facets exactly, as the service does, after a commit, so that nothing is known from before; times are those
of `TantivyIndex.query` in one thread.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from services.search.index import CaseDocument
from services.search.tantivy_index import TantivyIndex
from shared.contracts.search import SearchQuery

STATUSES = ("new", "open", "awaiting_customer", "escalated", "resolved", "closed")
SEVERITIES = ("Critical", "High", "Medium", "Low")
START = datetime(2026, 1, 1, tzinfo=UTC)
_BRIEF = 3
"""Letters, as words have that are in nearly every text."""
STAFF = {"staff": True, "email": "agent1@vendor.example"}
QUERIES: dict[str, dict[str, Any]] = {
    "no words": {},
    "no words + filter": {"filters": {"status": ["open", "new"], "severity": ["High"]}},
    "no words, by subject": {"sort": "subject"},
    "one common word": {"q": "COMMON"},
    "one rare word": {"q": "RARE"},
    "two common words": {"q": "COMMON COMMON2"},
    "prefix of one letter": {"q": "C"},
    "prefix of two letters": {"q": "COM"},
    "prefix of three letters": {"q": "COMM"},
    "rare word + prefix of one letter": {"q": "RARE C"},
    "common word + prefix": {"q": "COMMON COM"},
    "common short word + prefix": {"q": "BRIEF COM"},
    "common word, by relevance": {"q": "COMMON COMMON2", "sort": "relevance"},
    "page 400": {"page": 400},
    "common word, page 400": {"q": "COMMON", "page": 400},
    "a customer's own": {"viewer": {"email": "person7@customer.example"}},
    "an account admin's, prefix": {"viewer": {"email": "x@y.example", "accounts": ["account1"]}, "q": "COM"},
}


def main() -> None:
    """Build an index, ask it, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    rng = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(30_000)]
    with tempfile.TemporaryDirectory() as directory:
        index = TantivyIndex(Path(directory), new=True)
        started = time.perf_counter()
        cases = _cases(rng, words, options.cases)
        while batch := list(itertools.islice(cases, 500)):
            index.replace(batch)
        index.commit()
        seconds = time.perf_counter() - started
        index.close()
        index = TantivyIndex(Path(directory))
        size = sum(path.stat().st_size for path in Path(directory).iterdir())
        print(f"{options.cases} cases in {seconds:.1f} s, making them included; {size / 1e6:.1f} MB")
        print(f"{'query':34}{'matches':>9}{'median ms':>11}{'p99 ms':>9}")
        for name, query in QUERIES.items():
            _measure(index, name, _with_words(query, words), options.rounds)
        index.close()


def _measure(index: TantivyIndex, name: str, query: dict[str, Any], rounds: int) -> None:
    asked = SearchQuery.model_validate({"desk": "desk0", "viewer": STAFF} | query)
    times = []
    for _ in range(rounds):
        index.commit()
        started = time.perf_counter()
        answer = index.query(asked)
        times.append((time.perf_counter() - started) * 1000)
    print(f"{name:34}{answer.total:9}{statistics.median(times):11.2f}{statistics.quantiles(times, n=100)[98]:9.2f}")


def _with_words(query: dict[str, Any], words: list[str]) -> dict[str, Any]:
    q = query.get("q", "")
    common, other, *_ = (word for word in words if len(word) > _BRIEF)
    brief, rare = next(word for word in words if len(word) == _BRIEF), words[20_000]
    named = {"COMMON2": other, "COMMON": common, "BRIEF": brief, "RARE": rare}
    named |= {"COMM": common[:3], "COM": common[:2], "C": common[:1]}
    return query | {"q": " ".join(named[each] for each in q.split())}


def _cases(rng: random.Random, words: list[str], count: int) -> Iterator[CaseDocument]:
    weights = list(itertools.accumulate(1 / place for place in range(1, len(words) + 1)))
    for number in range(1, count + 1):
        written = rng.choices(words, cum_weights=weights, k=125)
        severity = rng.randrange(4)
        created = START + timedelta(seconds=number * 300 + rng.randrange(300))
        yield CaseDocument(
            id=str(UUID(int=rng.getrandbits(128), version=4)),
            desk=f"desk{number % 2}",
            key="CON",
            number=number,
            seq=7,
            subject=" ".join(written[:6]),
            text=" ".join(written[6:115]),
            internal=" ".join(written[115:]),
            people=[f"person{rng.randrange(5000)}@customer.example" for _ in range(2)],
            names=[],
            internal_reference=None,
            status=rng.choice(STATUSES),
            product=f"product{rng.randrange(8)}",
            type=f"type{rng.randrange(4)}",
            severity=SEVERITIES[severity],
            severity_rank=severity,
            impact=None,
            impact_rank=None,
            account=f"account{rng.randrange(500)}",
            assignee=rng.choice((None, f"agent{rng.randrange(30)}@vendor.example")),
            created_at=created,
            updated_at=created + timedelta(seconds=rng.randrange(10**6)),
            recorded_at=None,
        )


if __name__ == "__main__":
    main()
