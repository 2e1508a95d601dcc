"""What is taken for what, by name and content, however the content comes in."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.attachments.evidence import TAIL_BYTES, Evidence
from services.api.attachments.filenames import MAX_BYTES, ending_of, safe_filename
from services.api.attachments.judging import judge
from services.api.problems import Problem
from shared.domain.profiles import PROFILES
from tests import samples

ANY_SAFE = PROFILES["connect"]


def seen(content: bytes, chunk: int = 65536) -> Evidence:
    evidence = Evidence()
    for start in range(0, len(content), chunk):
        evidence.add(content[start : start + chunk])
    return evidence


def is_taken(name: str, content: bytes, chunk: int = 65536) -> bool:
    try:
        judge("file", name, ANY_SAFE, seen(content, chunk))
    except Problem as problem:
        return problem.code != "attachment_type_not_allowed"
    return True


@pytest.mark.parametrize("chunk", [1, 7, 511, 513, 100_000])
def test_the_size_of_the_chunks_does_not_matter(chunk: int) -> None:
    for ending, sample in samples.SAMPLES.items():
        assert is_taken(f"x.{ending}", sample, chunk), ending
    assert not is_taken("x.doc", samples.msi(), chunk)
    assert not is_taken("x.txt", b"a" * 9_000 + b"\0", chunk)


def test_the_directory_of_a_large_archive_is_found_at_its_end() -> None:
    large = samples.zipped({f"{n}.bin": os.urandom(1_000_000) for n in range(3)})
    assert len(large) > TAIL_BYTES
    assert is_taken("x.zip", large)
    assert not is_taken("x.docx", large)


def test_an_archive_of_too_many_files_to_look_through_is_refused() -> None:
    assert not is_taken("x.zip", samples.zipped({f"{'long' * 20}{n}": b"" for n in range(10_000)}))


def test_an_office_file_under_a_password_is_one() -> None:
    secret = samples.ole() + "EncryptedPackage".encode("utf-16-le") + os.urandom(5_000)
    assert is_taken("x.xlsx", secret)
    assert not is_taken("x.xlsx", samples.ole())


@pytest.mark.parametrize("content", ["Größe;5\n".encode("utf-16"), "Größe;5\n".encode("cp1252"), b"\x1b[31mred\n"])
def test_text_is_text_in_any_encoding(content: bytes) -> None:
    assert is_taken("x.csv", content)


@pytest.mark.parametrize("name", ["README", "x.unknown", "x.tar.gz"])
def test_what_is_not_known_is_sent_out_to_be_saved(name: str) -> None:
    judged = judge("file", name, ANY_SAFE, seen(b"\x1f\x8b\x08\0\1\2\3"))
    assert judged.content_type in {"application/octet-stream", "application/gzip"}


@given(st.text())
def test_a_name_is_safe_whatever_is_given(given_name: str) -> None:
    name = safe_filename(given_name)
    assert name == safe_filename(name)
    assert name.isprintable()
    assert not set(name) & set('/\\<>:"|?*')
    assert name not in {"", ".", ".."}
    assert len(name.encode()) <= MAX_BYTES + 1
    assert ending_of(name) == ending_of(name.strip())
