"""The index against a brute-force oracle, odd input, and damage."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.search import tantivy_index
from services.search.index import CaseDocument, IndexBrokenError, QueryError
from services.search.index_directory import IndexDirectory, IndexDirectoryInUseError
from services.search.tantivy_index import TantivyIndex
from services.search.tantivy_schema import analyzer, words_of
from shared.contracts.search import Filters, SearchAnswer, SearchQuery, Viewer
from tests.contract import search_oracle as oracle

STAFF = Viewer(staff=True, email="ada@vendor.example")


@pytest.fixture(scope="module")
def cases() -> list[CaseDocument]:
    return oracle.random_cases(random.Random(1), 300)


@pytest.fixture(scope="module")
def index(cases: list[CaseDocument], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TantivyIndex]:
    """The cases, written in many commits and in part several times over, so that there are deletions and segments."""
    made = TantivyIndex(tmp_path_factory.mktemp("index"), new=True)
    rng = random.Random(2)
    for start in range(0, len(cases), 40):
        batch = cases[start : start + 40]
        made.replace([replace(case, subject="outdated", status="new", internal="") for case in batch])
        if rng.random() < 0.5:
            made.commit()
        made.replace(batch)
        made.commit()
    yield made
    made.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[TantivyIndex]:
    made = TantivyIndex(tmp_path, new=True)
    yield made
    made.close()


def case(**changes: object) -> CaseDocument:
    plain = replace(
        oracle.random_cases(random.Random(3), 1)[0],
        desk="connect",
        key="CON",
        number=12,
        subject="Subject",
        text="Text",
        internal="",
        names=(),
        people=("bob@acme.example",),
        internal_reference=None,
        account="acme",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def _write(index: TantivyIndex) -> None:
    index.replace([case()])
    index.commit()


def find(index: TantivyIndex, q: str, viewer: Viewer = STAFF, **more: object) -> SearchAnswer:
    return index.query(SearchQuery.model_validate({"desk": "connect", "viewer": viewer, "q": q} | more))


@pytest.mark.parametrize("seed", range(8))
def test_finds_counts_sorts_and_pages_as_the_oracle_does(
    index: TantivyIndex, cases: list[CaseDocument], seed: int
) -> None:
    rng = random.Random(seed)
    found_some = 0
    for _ in range(150):
        query = oracle.random_query(rng)
        expected = oracle.matches(cases, query)
        answer = index.query(query)
        assert answer.total == len(expected), query
        assert answer.numbers == oracle.page(expected, query), query
        assert answer.facets == oracle.facets(cases, query), query
        found_some += bool(expected)
    assert found_some > 30


def test_all_numbers_come_in_the_order_of_the_pages(
    index: TantivyIndex, cases: list[CaseDocument], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tantivy_index, "_FIRST_NUMBERS", 3)
    monkeypatch.setattr(tantivy_index, "_MOST_NUMBERS", 20)
    rng = random.Random(5)
    for _ in range(100):
        query = oracle.random_query(rng)
        expected = [each.number for each in oracle.matches(cases, query)]
        parts = list(index.numbers(query))
        assert {part.total for part in parts} == {len(expected)}
        assert [number for part in parts for number in part.numbers] == expected
        starts = [sum(len(part.numbers) for part in parts[:place]) for place in range(len(parts))]
        assert [part.start for part in parts] == starts
    (part,) = index.numbers(SearchQuery(desk="connect", viewer=STAFF, q="print", sort="relevance"))
    first, second = (find(index, "print", sort="relevance", page_size=100, page=page).numbers for page in (1, 2))
    assert part.numbers == [*first, *second]


def test_numbers_are_of_one_moment(empty: TantivyIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tantivy_index, "_FIRST_NUMBERS", 1)
    made = [case(id=f"{number:032}", number=number) for number in (1, 2, 3)]
    empty.replace(made)
    empty.commit()
    parts = empty.numbers(SearchQuery(desk="connect", viewer=STAFF, sort="number"))
    assert next(parts).numbers == [1]
    empty.remove([each.id for each in made])
    empty.commit()
    assert [number for part in parts for number in part.numbers] == [2, 3]


def test_a_page_far_beyond_the_end_is_empty_and_costs_nothing(index: TantivyIndex) -> None:
    for sort in ("-updated_at", "relevance"):
        answer = find(index, "print", sort=sort, page=1_000_000, page_size=100)
        assert (answer.numbers, answer.total) == ([], find(index, "print").total)


def test_by_relevance_every_match_comes_once_whatever_the_pages(index: TantivyIndex, cases: list[CaseDocument]) -> None:
    for q in ("print", "the printer", "1", "con", "e"):
        query = SearchQuery(desk="connect", viewer=STAFF, q=q, sort="relevance", page_size=100)
        at_once = [index.query(query.model_copy(update={"page": page})) for page in (1, 2)]
        whole = [number for answer in at_once for number in answer.numbers]
        small = [
            number
            for page in range(1, 60)
            for number in index.query(query.model_copy(update={"page": page, "page_size": 7})).numbers
        ]
        assert small == whole
        assert sorted(whole) == sorted(
            case.number for case in oracle.matches(cases, query.model_copy(update={"sort": "number"}))
        )


def test_relevance_puts_the_subject_first_and_the_named_case_before_all(empty: TantivyIndex) -> None:
    filler = " and some more text about nothing in particular" * 3
    empty.replace(
        [
            case(id="a", number=1, subject="Printer on fire", text=filler),
            case(id="b", number=2, subject="Something else", text=f"the printer 7 {filler}"),
            case(id="c", number=7, subject="Nothing", text=f"printer {filler}"),
        ]
    )
    empty.commit()
    assert find(empty, "printer", sort="relevance").numbers[0] == 1
    assert find(empty, "CON-7", sort="relevance").numbers == [7]
    assert find(empty, "7", sort="relevance").numbers == [7, 2]
    assert find(empty, "", sort="relevance").numbers == find(empty, "").numbers


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Crème brûlée", "creme BRULEE"),
        ("creme brulee", "Crème Brûl"),
        ("cre\u0300me", "crème"),
        ("Straße 5", "STRASSE 5"),
        ("İstanbul", "istanbul"),
        ("ﬁnance", "finance"),
        ("to be or not to be", "not to be or"),
        ("Zażółć gęślą", "zazolc gesla"),
        ("ΑΘΗΝΑ", "αθηνα"),
        ("see foo.bar/baz_qux", "foo.bar baz"),
        ("ORA-00600", "ora-006"),
        ("C:\\Windows\\System32", "system32"),
    ],
)
def test_words_match_without_case_accents_and_punctuation(empty: TantivyIndex, written: str, typed: str) -> None:
    empty.replace([case(text=written), case(id="other", number=99, text="nothing of the kind")])
    empty.commit()
    assert find(empty, typed).numbers == [12]


@pytest.mark.parametrize("typed", ["12", "CON-12", "con-12", "#12", "CON-1", "1", '"CON-12"', "con-12."])
def test_a_number_finds_its_case(empty: TantivyIndex, typed: str) -> None:
    empty.replace([case(), case(id="other", number=99)])
    empty.commit()
    assert find(empty, typed).numbers == [12]


def test_only_the_last_word_is_a_beginning(empty: TantivyIndex) -> None:
    empty.replace([case(text="printing invoices")])
    empty.commit()
    assert find(empty, "printing inv").total == 1
    assert find(empty, "print invoices").total == 0
    assert find(empty, "CON-1 printing").total == 0
    empty.replace([case(text="Tomatoes for good", internal="go to Bern")])
    empty.commit()
    assert [find(empty, q).total for q in ("to", "to be", "to for", "to t", "go to ber")] == [1] * 5
    assert [find(empty, q).total for q in ("goo to", "tom for", "fo good", "ber to")] == [0] * 4


def test_customers_neither_find_nor_count_what_they_may_not_see(empty: TantivyIndex) -> None:
    empty.replace(
        [
            case(internal="the customer is litigious"),
            case(id="other", number=13, people=("eve@globex.example",), account="globex", text="merger"),
        ]
    )
    empty.commit()
    bob = Viewer(email="bob@acme.example")
    assert find(empty, "litigious").numbers == find(empty, "is l").numbers == [12]
    for q in ("litigious", "litig", "lit", "li", "is", "is l", "merger"):
        hidden = find(empty, q, bob)
        assert (hidden.total, hidden.numbers, any(hidden.facets.values())) == (0, [], False)
    everything = find(empty, "", bob)
    assert everything.numbers == [12]
    assert everything.facets["account"] == {"acme": 1}
    assert find(empty, "", Viewer(email="x@y.example", accounts=["globex"])).numbers == [13]
    assert find(empty, "", Viewer()).total == 0
    assert find(empty, "", Viewer(), filters=Filters(mine=True)).total == 0


@given(q=st.text(max_size=60) | st.text(alphabet='+-&|!(){}[]^"~*?:\\/ aé1.<>=,;@#$%_\0', max_size=30))
@example("a" * 70_000)
@example("日" * 400)
@example("word " * 3000)
@example("1" * 500)
@example("con-" + "9" * 30)
@example("\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_typed_is_only_words(index: TantivyIndex, q: str) -> None:
    for sort in ("-updated_at", "relevance"):
        answer = find(index, q, sort=sort)
        assert 0 <= len(answer.numbers) <= answer.total


@given(text=st.text(st.characters(codec="ascii"), max_size=60))
def test_words_in_ascii_are_those_of_the_analyzer(text: str) -> None:
    assert words_of(text) == analyzer().analyze(text)


def test_punctuation_alone_restricts_nothing_and_an_endless_word_finds_nothing(index: TantivyIndex) -> None:
    assert find(index, ' "" -- ??').total == find(index, "").total > 0
    assert find(index, "a" * 1000).total == 0


@given(value=st.text(max_size=80))
@example("none")
@example("x" * 70_000)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_filtered_by_is_only_a_value(index: TantivyIndex, value: str) -> None:
    for name in ("product", "assignee", "account"):
        answer = find(index, "", filters={name: [value]})
        assert answer.total == answer.facets[name].get(value.lower() if name == "assignee" else value, 0)
    assert find(index, "", Viewer(email=value, accounts=[value])).total >= 0


def test_what_was_written_can_be_anything(empty: TantivyIndex) -> None:
    empty.replace([case(subject="", text="x" * 70_000 + " found", internal="\x01 \u202e 🙂", product="", people=())])
    empty.commit()
    assert find(empty, "found").numbers == [12]


def test_an_unknown_sort_key_is_refused_with_the_known_ones(index: TantivyIndex) -> None:
    with pytest.raises(QueryError, match=r"can't sort by 'colour'; sort by one of updated_at, .*relevance"):
        find(index, "", sort="-colour")


def test_replacing_removing_and_knowing_the_seq(empty: TantivyIndex) -> None:
    empty.replace([case(seq=3, text="first"), case(seq=4, text="second")])
    assert empty.seq_of(case().id) == 0
    empty.commit()
    assert empty.seq_of(case().id) == 4
    assert (find(empty, "first").total, find(empty, "second").total) == (0, 1)
    empty.remove([case().id])
    empty.commit()
    assert (find(empty, "").total, empty.seq_of(case().id), empty.seq_of("no such case")) == (0, 0, 0)


def test_what_was_committed_outlives_a_killed_process(tmp_path: Path) -> None:
    program = f"""
import dataclasses, os, signal, sys
from pathlib import Path
from services.search.index_directory import IndexDirectory
from tests.contract.test_search_index import case
directory = IndexDirectory(Path({str(tmp_path)!r}))
index = directory.create()
index.replace([case()]); index.commit(); directory.promote(index)
directory.create()
index.replace([case(id="x", number=5)])
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    directory = IndexDirectory(tmp_path)
    again = directory.open_current()
    assert isinstance(again, TantivyIndex)
    directory.sweep()
    assert find(again, "").numbers == [12]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [again.name]
    again.close()
    directory.close()


def test_values_are_counted_by_their_names_after_opening_again(tmp_path: Path) -> None:
    for number, account in enumerate(("globex", "acme", "globex", "initech"), 1):
        index = TantivyIndex(tmp_path, new=number == 1)
        index.replace([case(id=str(number % 3), number=number, account=account, assignee=None)])
        index.commit()
        index.close()
    with closing(TantivyIndex(tmp_path)) as index:
        found = find(index, "").facets
    assert found["account"] == {"acme": 1, "globex": 1, "initech": 1}
    assert found["assignee"] == {"none": 3}


def test_a_directory_in_use_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.search.index_directory._LOCK_SECONDS", 0.2)
    first = IndexDirectory(tmp_path)
    with pytest.raises(IndexDirectoryInUseError, match="CASEBOUND_SEARCH_INDEX_DIR"):
        IndexDirectory(tmp_path)
    first.close()
    IndexDirectory(tmp_path).close()


@pytest.mark.parametrize(
    "kind", ["fast", "idx", "term", "fieldnorm", "store", "meta.json", "current", "all", "version"]
)
def test_damage_is_noticed_when_opening(tmp_path: Path, kind: str) -> None:
    directory = IndexDirectory(tmp_path)
    index = directory.create()
    index.replace(oracle.random_cases(random.Random(5), 50))
    index.commit()
    directory.promote(index)
    index.close()
    files = tmp_path / index.name
    if kind == "all":
        for path in files.iterdir():
            path.unlink()
    elif kind == "current":
        (tmp_path / "current").write_bytes(b"\xff\xfe..")
    elif kind == "version":
        files.rename(tmp_path / "v0-old")
        (tmp_path / "current").write_text("v0-old")
    elif kind == "meta.json":
        (files / "meta.json").write_text("{")
    else:
        victim = next(path for path in files.iterdir() if path.suffix == f".{kind}")
        content = bytearray(victim.read_bytes())
        content[len(content) // 3] ^= 0x40
        victim.write_bytes(content)
    assert directory.open_current() is None
    directory.close()


def test_a_deleted_index_can_still_be_read_but_says_so_when_written(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path, new=True)
    index.replace([case()])
    index.commit()
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        path.unlink()
    tmp_path.rmdir()
    assert find(index, "text").total == 1
    with pytest.raises(IndexBrokenError, match="can't be written"):
        _write(index)
    index.close()
