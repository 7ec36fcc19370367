"""The exact ROUGE-L filter: finds the kept text that overlaps most with a new one, without scoring every pair."""

import codecs
import sys
from array import array
from bisect import bisect
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from math import isqrt

import numpy as np
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

from pipeline.novelty import Nearest
from pipeline.novelty.bounds import Array, bounds, f1, paired
from pipeline.novelty.postings import Postings
from pipeline.novelty.tokens import tokens

__all__ = ["RougeIndex", "tokens"]

_CHUNK = 1 << 18  # tokens worked on at once, to bound the memory that takes,
_WAITING = 512  # rows that may wait to be sorted in, besides half the square root of their number: all are looked at
_SHARE = 1 / 32  # or this share of the tokens sorted in before: each time, all postings are copied
_BIT = [1 << bit for bit in range(256)]
_from_utf32 = codecs.utf_32_le_decode if sys.byteorder == "little" else codecs.utf_32_be_decode
_words = lru_cache(maxsize=16)(tokens)  # a text is often added just after it was searched for

MAX_ROUGE = 0.7  # above it a text is not new, exactly at it is; Self-Instruct, section 2.2


class RougeIndex:
    """Finds the added text with the highest ROUGE-L F1, if that is above `max_rouge`.

    Decisions and scores are those of `rouge_score` (`rougeL`, no stemming) on every pair of ASCII texts, down to the
    rounding of exact ties; other scripts follow the same rule over their own `tokens`. A text without any token (emoji,
    punctuation, nothing) scores 1.0 with the same string, apart from white space around it, and 0.0 with all others.

    It is exact because only texts that cannot score above `max_rouge` are left out. Let x have m tokens, y have n, and
    their longest common subsequence L. F1 grows with L, so y is too close to x if and only if L >= need(m, n), the
    least L whose F1, in the float operations of rouge_score, is above `max_rouge`. Four conditions follow from that:

    1. Rare tokens. Put the tokens of both texts in any one fixed order, here roughly from rare to frequent. They share
       at least L of them, counted with repeats, and none before the first shared one; if that is at position i of x and
       j of y, then need(m, n) <= L <= min(m - i, n - j). So it is enough to post y under its first tokens, the first
       n - min need(n, .) + 1, and to look up the token at position i of x only for lengths with need(m, n) <= m - i.
       The first shared token is the first of its repeats in both texts: each distinct token is posted, looked up, once.
    2. Pairs of frequent tokens. A frequent token is shared with many texts. But if it is the first shared one, what
       follows is as frequent, and if need(m, n) > 1 they share a second one, at position i2 > i of x and j2 > j of y,
       with need(m, n) <= L <= 1 + min(m - i2, n - j2). So it is enough to post y under each two of the frequent tokens
       among its first n - min need(n, .) + 2, where twice the same token are two as well. A long text has too many
       pairs and is posted under each of the tokens alone. Which tokens count as frequent only matters to speed.
    3. Length. need(m, n) <= min(m, n).
    4. Parity. Each occurrence of a token flips one bit of its text's signature. Shared occurrences cancel out, so two
       signatures differ in at most m + n - 2 L <= m + n - 2 need(m, n) bits. Tokens that flip the same bit, and folding
       256 bits to 64, only bring signatures closer.

    What satisfies all four is compared by its true L. A text just added is found without the first two, until there are
    enough of them to be sorted in. Memory: about 350 bytes a text of 15 tokens, besides the texts. A search leaves
    nothing behind, but it must not run while another thread adds.

    Args:
        often: Tokens that occur more often than this are frequent.
    """

    def __init__(self, texts: Iterable[str] = (), max_rouge: float = 0.7, often: int = 4000) -> None:
        if not 0 < max_rouge < 1:
            raise ValueError(f"max_rouge is {max_rouge}; it must be above 0 and below 1")
        self.max_rouge = max_rouge
        self._often = often
        self._count = 0
        self._wordless: dict[str, str] = {}  # texts without tokens, by their stripped form
        self._texts: list[str] = []  # all others: row r has the token ids self._ids[self._ends[r] : self._ends[r + 1]]
        self._ids = array("I")
        self._ends = array("q", [0])
        self._signatures = array("Q")  # 4 x 64 bits for each row
        self._sequences: list[str | list[int]] = []  # of the first rows, once `closest` has needed them
        self._longest = 1  # a power of two that no row is longer than
        self._vocabulary: dict[str, int] = {}  # token -> id; rare tokens have high ids
        self._flips = [_BIT[0]]  # id -> the signature bit it flips; the last one is for unknown tokens
        self._ranked = 0  # the number of rows when ids were last given by frequency
        self._postings = Postings(0, paired(max_rouge))
        for text in texts:
            self._append(text)
        self._sort_in()

    def __len__(self) -> int:
        return self._count

    def nearest(self, text: str, but: Collection[str] = ()) -> Nearest:
        """The highest score and its text (of equals, the first added) if above `max_rouge`; else (0.0, None).

        Args:
            but: Texts that do not count, such as those that this one was made from.
        """
        ids = self._known_ids(text)
        if not ids:
            return Nearest(0.0, None) if text in but else self._same(text)
        rows = self._candidates(ids)
        if but:
            rows = [row for row in rows if self._texts[row] not in but]
        if not rows:
            return Nearest(0.0, None)
        sequences = [self._sequence(row) for row in rows]
        need = bounds(len(ids), self.max_rouge, self._longest).need
        found = zip(_lcs(ids, sequences).tolist(), sequences, rows, strict=True)
        scored = ((f1(lcs, len(ids), len(sequence)), -row) for lcs, sequence, row in found if lcs >= need)
        score, row = max(scored, default=(0.0, 0))
        return Nearest(score, self._texts[-row]) if score > self.max_rouge else Nearest(0.0, None)

    def closest(self, text: str) -> Nearest:
        """The highest score and its text, however low it is; (0.0, None) if no text shares a token.

        Compares with every text: about 0.15 ms for each 1,000 of them, so for a report rather than for a filter. The
        first call also makes the strings to compare: 1 µs and 120 bytes a text.
        """
        ids = self._known_ids(text)
        if not ids:
            return self._same(text)
        self._sequences += map(self._sequence, range(len(self._sequences), len(self._texts)))
        lcs = _lcs(ids, self._sequences)
        rows = lcs.nonzero()[0]
        if not len(rows):
            return Nearest(0.0, None)
        scores = f1(lcs[rows], len(ids), np.diff(self._ends)[rows])
        best = int(scores.argmax())
        return Nearest(float(scores[best]), self._texts[rows[best]])

    def add(self, text: str) -> None:
        signature = self._append(text)
        if signature is not None:
            self._postings.wait(self._ends[-1] - self._ends[-2], _fold(signature), len(self._texts) - 1)
        if self._postings.num_waiting >= _WAITING + isqrt(len(self._texts)) // 2:
            self._sort_in()

    def _same(self, text: str) -> Nearest:
        same = self._wordless.get(text.strip())
        return Nearest(0.0, None) if same is None else Nearest(1.0, same)

    def _known_ids(self, text: str) -> list[int]:
        get, unknown = self._vocabulary.get, len(self._vocabulary)
        return [get(word, unknown) for word in _words(text)]

    def _signature(self, ids: Sequence[int]) -> int:
        flips, signature = self._flips, 0
        for id in ids:
            signature ^= flips[id]
        return signature

    def _candidates(self, ids: Sequence[int]) -> list[int]:
        """The rows that no condition rules out, in the order they were added."""
        signature = self._signature(ids)
        limits = bounds(len(ids), self.max_rouge, self._longest)
        found = self._postings.search(ids, _fold(signature), limits)
        if found is None:
            lengths = np.diff(np.frombuffer(self._ends, np.int64))
            found = np.arange(len(lengths)), limits.far.take(lengths, mode="clip")
        rows, far = found
        if len(rows) > 8:
            theirs = np.frombuffer(self._signatures, np.uint64).reshape(-1, 4).take(rows, axis=0)
            ours = np.frombuffer(signature.to_bytes(32, sys.byteorder), np.uint64)
            rows = rows[np.bitwise_count(theirs ^ ours).sum(axis=1) <= far]
        return sorted(set(rows.tolist()))

    def _sequence(self, row: int) -> str | list[int]:
        return _sequence(self._ids[self._ends[row] : self._ends[row + 1]])

    def _append(self, text: str) -> int | None:
        """Store the text as a new row and return its signature; None if it has no tokens and so no row."""
        self._count += 1
        words = _words(text)
        if not words:
            self._wordless.setdefault(text.strip(), text)
            return None
        vocabulary = self._vocabulary
        ids = [vocabulary.setdefault(word, len(vocabulary)) for word in words]
        for id in range(len(self._flips), len(vocabulary) + 1):
            self._flips.append(_BIT[id & 255])
        signature = self._signature(ids)
        self._texts.append(text)
        self._ids.extend(ids)
        self._ends.append(len(self._ids))
        self._signatures.frombytes(signature.to_bytes(32, sys.byteorder))
        while self._longest < len(ids):
            self._longest *= 2
        return signature

    def _sort_in(self) -> None:
        """Post the waiting rows; at four times the size, all rows, by what is rare now."""
        if len(self._texts) >= 4 * self._ranked:
            self._postings = Postings(self._rank(), paired(self.max_rouge))
        while (start := self._postings.num_rows) < len(self._texts):
            size = max(_CHUNK, int(self._ends[start] * _SHARE))
            stop = bisect(self._ends, self._ends[start] + size, lo=start + 2) - 1
            self._post(start, stop)

    def _post(self, start: int, stop: int) -> None:
        ends = np.frombuffer(self._ends, np.int64)[start : stop + 1]
        lengths = np.diff(ends)
        sizes, size = np.unique(lengths, return_inverse=True)
        num_rare = [len(bounds(m, self.max_rouge, self._longest).last) for m in sizes.tolist()]
        ids = np.frombuffer(self._ids, np.uint32)[ends[0] : ends[-1]]
        signatures = np.frombuffer(self._signatures, np.uint64)[4 * start : 4 * stop].reshape(-1, 4)
        self._postings.sort_in(ids, lengths, np.bitwise_xor.reduce(signatures, axis=1), np.array(num_rare)[size])

    def _rank(self) -> int:
        """Give new ids, from frequent to rare, and return how many are of frequent tokens. Signatures stay."""
        parts = np.array_split(np.frombuffer(self._ids, np.uint32), len(self._ids) // _CHUNK + 1)
        counts = np.zeros(len(self._vocabulary), np.int64)
        for part in parts:
            counts += np.bincount(part, minlength=len(counts))
        order = np.argsort(-counts, kind="stable")
        new_ids = np.empty(len(order), np.uint32)
        new_ids[order] = np.arange(len(order))
        for part in parts:
            part[:] = new_ids[part]
        words = list(self._vocabulary)
        self._vocabulary = {words[old]: new for new, old in enumerate(order)}
        self._flips[:-1] = [self._flips[old] for old in order]
        self._sequences.clear()
        self._ranked = len(self._texts)
        return int((counts > self._often).sum())


def _fold(signature: int) -> int:
    return (signature ^ signature >> 64 ^ signature >> 128 ^ signature >> 192) & 0xFFFFFFFFFFFFFFFF


def _lcs(ids: Sequence[int], sequences: Sequence[str | list[int]]) -> Array:
    lcs: Array = cdist([_sequence(array("I", ids))], sequences, scorer=LCSseq.similarity, dtype=np.int32)[0]
    return lcs


def _sequence(ids: "array[int]") -> str | list[int]:
    """One character for each token, which rapidfuzz compares fastest; ids beyond Unicode stay numbers."""
    try:
        return _from_utf32(ids, "surrogatepass", True)[0]  # in a third of the time of `bytes.decode`
    except UnicodeDecodeError:
        return ids.tolist()
