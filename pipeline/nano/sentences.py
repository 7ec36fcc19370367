"""Families of tasks on sentences and reviews."""

from random import Random
from typing import NamedTuple

from pipeline.nano.draft import Draft, Family
from pipeline.nano.lookups import a
from pipeline.nano.words import (
    ADJECTIVES,
    BAD,
    CASUAL,
    FORMAL,
    GOOD,
    KINDS,
    NAMES,
    OPPOSITES,
    PLACES,
    REVIEWED,
    THINGS,
    TIMES,
    TOPICS,
    VERBS,
    WOMEN,
)  # fmt: skip


class Sentence(NamedTuple):
    who: str
    verb: str
    adjective: str
    thing: str
    tail: str  # a place or a time, or ""

    def say(self, **change: str) -> str:
        parts = self._replace(**change)
        past = VERBS.get(parts.verb, parts.verb)
        return f"{parts.who} {past} the {parts.adjective} {parts.thing}{' ' + parts.tail if parts.tail else ''}."


def sentence(r: Random, tail: list[str] | None = None, adjectives: list[str] = ADJECTIVES) -> Sentence:
    return Sentence(
        r.choice(NAMES), r.choice(list(VERBS)), r.choice(adjectives), r.choice(THINGS), r.choice(tail) if tail else ""
    )


def given_sentence(r: Random) -> str:
    return r.choice(["a sentence", "a sentence", "a short sentence", "one line of text", "a statement"])


def who(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r, r.choice([None, PLACES]))
        return s.say(), s.who

    return Draft(["who did it?", "give the name of the person in the sentence", "find the person who acts", "name the subject of the sentence", "extract the person"], given_sentence(r), make)  # fmt: skip


def what(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r, r.choice([None, PLACES]))
        return s.say(), s.thing

    return Draft(["which thing is the sentence about?", "extract the object of the sentence", "name the thing that something was done to", "give the noun after the adjective"], given_sentence(r), make)  # fmt: skip


def described(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        return s.say(), s.adjective

    return Draft(["find the adjective", "which word describes the thing?", "extract the adjective from the sentence", "what is said about the thing?"], given_sentence(r), make)  # fmt: skip


def where(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r, PLACES)
        return s.say(), s.tail

    return Draft(["where did it happen?", "extract the place", "give the part of the sentence that names the place", "say where this takes place"], given_sentence(r), make)  # fmt: skip


def when(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r, TIMES)
        return s.say(), s.tail

    return Draft(["when did it happen?", "extract the time", "give the words that say when", "copy the time from the end of the sentence"], given_sentence(r), make)  # fmt: skip


def action(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        return s.say(), VERBS[s.verb]

    return Draft(
        ["find the verb", "which word tells what was done?", "copy the verb of the sentence"], given_sentence(r), make
    )


def rename(r: Random) -> Draft:
    name = r.choice(NAMES)

    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        return s.say(), s.say(who=name)

    return Draft([f"change the name in the sentence to {name}", f"write the sentence as if {name} had done it", f"put {name} in the place of the person", f"let {name} be the one who acts"], given_sentence(r), make)  # fmt: skip


def exchange_thing(r: Random) -> Draft:
    thing = r.choice(THINGS)

    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        return s.say(), s.say(thing=thing)

    return Draft([f"write the sentence about a {thing} instead", f"change the thing in the sentence to {thing}", f"use {thing} as the new object of the sentence"], given_sentence(r), make)  # fmt: skip


def future(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        return s.say(), s.say(verb="will " + s.verb)

    return Draft(["put the sentence into the future", "rewrite it so that it is still going to happen", "change the tense from past to future", "say it with will"], given_sentence(r), make)  # fmt: skip


def negate(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        return s.say(), s.say(verb="did not " + s.verb)

    return Draft(["make the sentence negative", "say that it did not happen", "deny the statement", "rewrite the sentence with did not"], given_sentence(r), make)  # fmt: skip


def ask(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        return s.say(), f"Did {s.who} {s.verb} the {s.adjective} {s.thing}?"

    return Draft(["turn the sentence into a question", "ask whether it is true", "write a yes or no question from the statement", "rewrite this as a question with did"], given_sentence(r), make)  # fmt: skip


def pronoun(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        return s.say(), s.say(who="She" if s.who in WOMEN else "He")

    return Draft(["replace the name by he or she", "use a pronoun for the person", "rewrite the sentence without the name", "put a pronoun in the place of the name"], given_sentence(r), make)  # fmt: skip


def add_tail(r: Random) -> Draft:
    tail = r.choice(PLACES + TIMES)

    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        return s.say(), s.say(tail=tail)

    return Draft([f"add {tail} to the sentence", f"end the sentence with {tail}", f"say that it was {tail}", f"complete the statement by the words {tail}"], given_sentence(r), make)  # fmt: skip


def drop_tail(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r, PLACES + TIMES)
        return s.say(), s.say(tail="")

    return Draft(["leave out the time or place", "cut the sentence after the thing", "shorten the sentence so that it ends with the thing", "remove the last detail"], given_sentence(r), make)  # fmt: skip


def turn_adjective(r: Random) -> Draft:
    adjectives = [w for w in ADJECTIVES if w in OPPOSITES]

    def make(r: Random) -> tuple[str, str]:
        s = sentence(r, None, adjectives)
        return s.say(), s.say(adjective=OPPOSITES[s.adjective])

    return Draft(["change the adjective into its opposite", "let the thing be the reverse of what is said", "swap the describing word for its antonym and keep the rest"], given_sentence(r), make)  # fmt: skip


def drop_adjective(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        return s.say(), s.say().replace(f" {s.adjective}", "", 1)

    return Draft(["remove the adjective from the sentence", "write the sentence without the describing word", "simplify the sentence by cutting its adjective"], given_sentence(r), make)  # fmt: skip


def review(r: Random) -> tuple[str, bool]:
    good = r.random() < 0.5
    return f"The {r.choice(REVIEWED)} was {r.choice(['', 'really ', 'very '])}{r.choice(GOOD if good else BAD)}.", good


def sentiment(r: Random) -> Draft:
    x, y = r.choice([("positive", "negative"), ("good", "bad"), ("happy", "unhappy"), ("pleased", "angry")])

    def make(r: Random) -> tuple[str, str]:
        text, good = review(r)
        return text, x if good else y

    cores = [f"is the review {x} or {y}?", f"label the opinion {x} or {y}", f"decide if the writer is {x} or {y}", f"classify the feeling of the text as {x} or {y}", f"read what the customer says and answer {x} or {y}"]  # fmt: skip
    return Draft(cores, r.choice(["a review", "an opinion", "a comment"]), make, True)


def reviewed(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        thing, text = r.choice(REVIEWED), r.choice(GOOD + BAD)
        return f"The {thing} was {text}.", thing

    return Draft(["what is being reviewed?", "name what the opinion is about", "extract the subject of the review"], r.choice(["a review", "an opinion"]), make)  # fmt: skip


def topic(r: Random) -> Draft:
    x, y = r.sample(list(TOPICS), 2)

    def make(r: Random) -> tuple[str, str]:
        name = r.choice([x, y])
        return r.choice(TOPICS[name]), name

    cores = [f"is the text about {x} or {y}?", f"choose the topic of the line: {x} or {y}", f"sort the news line into {x} or {y}", f"say {x} or {y} to name the subject"]  # fmt: skip
    return Draft(cores, r.choice(["a line of news", "a sentence", "a short text"]), make, True)


def manner(r: Random) -> Draft:
    x, y = r.choice([("formal", "casual"), ("polite", "rough"), ("official", "friendly")])

    def make(r: Random) -> tuple[str, str]:
        formal = r.random() < 0.5
        return r.choice(FORMAL if formal else CASUAL), x if formal else y

    return Draft([f"is the message {x} or {y}?", f"classify the tone as {x} or {y}", f"mark the message as {x} or {y}"], r.choice(["a message", "a line from a letter"]), make, True)  # fmt: skip


def sentence_kind(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        asked = r.random() < 0.5
        return (f"Did {s.who} {s.verb} the {s.thing}?" if asked else s.say()), "question" if asked else "statement"

    return Draft(["is it a question or a statement?", "label the line as question or statement", "decide between question and statement"], "a line of text", make, True)  # fmt: skip


def tense(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        past = r.random() < 0.5
        return (s.say() if past else s.say(verb="will " + s.verb)), "past" if past else "future"

    return Draft(["is the sentence in the past or in the future?", "name the tense, past or future", "answer past if it has happened and future if it has not"], given_sentence(r), make, True)  # fmt: skip


def truth(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        word, kind = r.choice([(w, k) for k, ws in KINDS.items() for w in ws])
        true = r.random() < 0.5
        shown = kind if true else r.choice([k for k in KINDS if k != kind])
        return f"{a(word).capitalize()} is {a(shown)}.", "true" if true else "false"

    return Draft(["is the claim true or false?", "judge the statement as true or false", "mark the fact true or false"], r.choice(["a claim", "a statement"]), make, True)  # fmt: skip


SENTENCES: list[Family] = [
    who, what, described, where, when, action, rename, exchange_thing, future, negate, ask, pronoun, add_tail, drop_tail,
    turn_adjective, drop_adjective, sentiment, reviewed, topic, manner, sentence_kind, tense, truth,
]  # fmt: skip
