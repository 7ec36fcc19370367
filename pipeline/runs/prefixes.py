"""What the prompts of a stage begin with, which the journal holds once."""

import sqlite3
from collections import deque

from pipeline.text import alike

LEAST = 256  # characters; a shared prefix of at least this length is stored once
MOST = 64  # that are looked for: those that were used last


class Prefixes:
    """The shared prefixes in the table `prefixes` of a journal, with the number of each."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        latest = db.execute("SELECT text, id FROM prefixes ORDER BY id DESC LIMIT ?", (MOST,)).fetchall()
        self.known: dict[str, int] = dict(reversed(latest))
        self.unmatched: deque[str] = deque(maxlen=4)  # recent prompts without a known prefix

    def of(self, prompt: str) -> str:
        """The known prefix that a prompt begins with; empty if there is none."""
        for prefix in reversed(self.known):
            if prompt.startswith(prefix):
                return prefix
        return ""

    def split(self, prompt: str) -> tuple[int | None, str]:
        """The shared prefix of a prompt, and the rest; requests of a stage may share thousands of characters."""
        if prefix := self.of(prompt):
            self.known[prefix] = self.known.pop(prefix)  # used last
            return self.known[prefix], prompt[len(prefix) :]
        shared = max((alike(prompt, other) for other in self.unmatched), default=0)
        if shared < LEAST:
            self.unmatched.append(prompt)
            return None, prompt
        row = self.db.execute("INSERT INTO prefixes (text) VALUES (?)", (prompt[:shared],)).lastrowid
        assert row is not None
        self.known[prompt[:shared]] = row
        if len(self.known) > MOST:
            del self.known[next(iter(self.known))]
        return row, prompt[shared:]
