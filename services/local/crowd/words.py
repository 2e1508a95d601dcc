"""Texts as long and as repetitive as people's: a vocabulary used by Zipf's law, cut from one long monologue."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Final

HALF: Final = ("invoice", "update")
"""Words that about half of all cases contain."""
_FREQUENT: Final = """
    the to and we is in it of not on for this that with our when after error you can please have a from are as was
    since be but at no user report system then an by all they again login screen new data file has will order there
    only page still customer account does same also issue import export test get number see list before server set
    any been problem try field if would process value wrong message run now what work email out first change some
    payment help two time could support use need month print other form show how day thanks team where morning
    version license browser printer password sync upload missing fails slow crash timeout balance ledger payroll
    address contract delivery interface mobile monthly overnight permission query schedule tax
"""
_VOCABULARY: Final = 30_000
_MONOLOGUE: Final = 1_000_000
_SENTENCE: Final = (5, 18)
_ONSETS: Final = "b br c ch d dr f fl g gr h j k l m n p pl pr qu r s sh st t tr v w z"
_VOWELS: Final = "a e i o u ai ea ou"
_ENDS: Final = ["", "", "n", "r", "s", "t", "l", "m", "ck", "nd"]


def made_up_words(chance: random.Random) -> Iterator[str]:
    """Pronounceable words without end, no two the same."""
    onsets, vowels, seen = _ONSETS.split(), _VOWELS.split(), set()
    while True:
        syllables = chance.choices((1, 2, 3, 4), (1, 6, 5, 2))[0]
        word = "".join(chance.choice(onsets) + chance.choice(vowels) for _ in range(syllables)) + chance.choice(_ENDS)
        if word not in seen:
            seen.add(word)
            yield word


class Texts:
    """Cuts texts from a monologue that is always the same."""

    def __init__(self) -> None:
        chance = random.Random("a monologue")  # noqa: S311
        frequent = _FREQUENT.split()
        known = {*HALF, *frequent}
        made_up = (word for word in made_up_words(chance) if word not in known)
        words = [*frequent, *itertools.islice(made_up, _VOCABULARY - len(frequent))]
        by_rank = list(itertools.accumulate(1 / rank for rank in range(1, _VOCABULARY + 1)))
        self._words: Sequence[str] = chance.choices(words, cum_weights=by_rank, k=_MONOLOGUE)
        self._spoken: Sequence[str] = _in_sentences(chance, self._words)

    def line(self, chance: random.Random, words: int) -> str:
        """Words without punctuation."""
        start = chance.randrange(_MONOLOGUE - words)
        return " ".join(self._words[start : start + words]).capitalize()

    def prose(self, chance: random.Random, typical: int) -> str:
        """Sentences: mostly about so many words, seldom many times as many."""
        words = min(int(chance.lognormvariate(0, 0.8) * typical) + 2, 40 * typical)
        start = chance.randrange(_MONOLOGUE - words)
        return " ".join(self._spoken[start : start + words]).rstrip(".,") + "."


def _in_sentences(chance: random.Random, words: Sequence[str]) -> list[str]:
    spoken, left = list(words), 0
    for place, word in enumerate(words):
        if left == 0:
            left = chance.randint(*_SENTENCE)
            spoken[place] = word.capitalize()
        left -= 1
        if left == 0:
            spoken[place] += "."
    return spoken
