"""Families of tasks on small records and tables, and short pieces to write."""

from random import Random

from pipeline.nano.draft import Draft, Family
from pipeline.nano.lookups import a
from pipeline.nano.sentences import sentence
from pipeline.nano.words import CAPITALS, EVENTS, FAULTS, GIFTS, KINDS, NAMES, THINGS, WORDS

FIELDS = {"name": NAMES, "city": list(CAPITALS.values()), "job": KINDS["job"], "pet": KINDS["animal"]}


def record(r: Random) -> dict[str, str]:
    return {field: r.choice(values) for field, values in FIELDS.items()}


def show(fields: dict[str, str]) -> str:
    return ", ".join(f"{field}: {value}" for field, value in fields.items())


def get_field(r: Random) -> Draft:
    field = r.choice(list(FIELDS))

    def make(r: Random) -> tuple[str, str]:
        fields = record(r)
        return show(fields), fields[field]

    return Draft([f"give the {field} in the record", f"extract the {field} from the entry", f"what does the entry say for {field}?", f"look up the {field} of the person"], r.choice(["a record", "an entry about a person"]), make)  # fmt: skip


def set_field(r: Random) -> Draft:
    field = r.choice(list(FIELDS))
    value = r.choice(FIELDS[field])

    def make(r: Random) -> tuple[str, str]:
        fields = record(r)
        return show(fields), show(fields | {field: value})

    return Draft([f"set the {field} to {value}", f"change the {field} in the record to {value}", f"correct the entry: the {field} is {value}"], r.choice(["a record", "an entry about a person"]), make)  # fmt: skip


def tell_record(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        f = record(r)
        return show(f), f"{f['name']} is {a(f['job'])} from {f['city']} and has {a(f['pet'])}."

    return Draft(["turn the record into a sentence", "write one sentence that tells everything in the entry", "present the person in a sentence"], r.choice(["a record", "an entry about a person"]), make)  # fmt: skip


def fill_record(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        f = record(r)
        return f"{f['name']} is {a(f['job'])} from {f['city']} and has {a(f['pet'])}.", show(f)

    return Draft(["write the facts as a record", "turn the sentence into name, city, job and pet", "make an entry with the four fields from the sentence"], "a sentence about a person", make)  # fmt: skip


def scores(r: Random) -> tuple[str, dict[str, int]]:
    points = dict(zip(r.sample(NAMES, 3), r.sample(range(1, 21), 3), strict=True))
    return ", ".join(f"{name} {n}" for name, n in points.items()), points


def winner(r: Random) -> Draft:
    pick, name = r.choice([(max, "most"), (min, "fewest")])

    def make(r: Random) -> tuple[str, str]:
        text, points = scores(r)
        return text, pick(points, key=lambda n: points[n])

    return Draft([f"who has the {name} points?", f"name the player with the {name} points", f"find whoever scored the {name}"], r.choice(["a table of points", "three players with their points"]), make)  # fmt: skip


def price(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        things = r.sample(THINGS, 3)
        costs = [r.randint(1, 20) for _ in things]
        i = r.randrange(3)
        return ", ".join(
            f"{t} {c}" for t, c in zip(things, costs, strict=True)
        ) + f". What does the {things[i]} cost?", str(costs[i])

    return Draft(["answer the question from the price list", "find the price that is asked for", "look the price up in the list"], "a price list and a question", make)  # fmt: skip


def about(r: Random) -> Draft:
    thing = r.choice(WORDS)

    def make(r: Random) -> tuple[str, str]:
        return "", sentence(r)._replace(thing=thing).say()

    return Draft([f"write a sentence about {a(thing)}", f"make up a short sentence with the word {thing}", f"use {thing} in a sentence", f"invent one line of a story in which {a(thing)} occurs"], "", make)  # fmt: skip


def build(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        s = sentence(r)
        return f"{s.who}, {s.verb}, {s.adjective}, {s.thing}", s.say()

    return Draft(["make a sentence in the past tense from the words", "build one sentence that uses all the words", "connect the words into a sentence"], "four words", make)  # fmt: skip


def greet(r: Random) -> Draft:
    name, (time, words) = (
        r.choice(NAMES),
        r.choice([("morning", "Good morning"), ("evening", "Good evening"), ("night", "Good night")]),
    )
    return Draft([f"greet {name} politely in the {time}", f"write a {time} greeting for {name}", f"say good {time} to {name} in a friendly way"], "", lambda r: ("", f"{words}, {name}, how are you?"))  # fmt: skip


def thank(r: Random) -> Draft:
    name, gift = r.choice(NAMES), r.choice(GIFTS)
    return Draft([f"thank {name} for the {gift}", f"write a thank you note to {name}, who gave you a {gift}", f"tell {name} how glad you are about the {gift}"], "", lambda r: ("", f"Dear {name}, thank you for the lovely {gift}."))  # fmt: skip


def apologize(r: Random) -> Draft:
    name, fault = r.choice(NAMES), r.choice(FAULTS)
    return Draft([f"apologize to {name} for {fault}", f"write {name} a line in which you say sorry for {fault}", f"ask {name} to forgive {fault}"], "", lambda r: ("", f"Dear {name}, I am sorry for {fault}."))  # fmt: skip


def invite(r: Random) -> Draft:
    name, event, time = r.choice(NAMES), r.choice(EVENTS), r.choice(["on Sunday", "on Friday", "today", "tomorrow"])
    return Draft([f"invite {name} to {event} {time}", f"write to {name} and propose {event} {time}", f"ask if {name} wants to come to {event} {time}"], "", lambda r: ("", f"Dear {name}, will you come to {event} {time}?"))  # fmt: skip


def wish(r: Random) -> Draft:
    name, what = r.choice(NAMES), r.choice(["birthday", "new year", "holiday", "wedding"])
    return Draft([f"wish {name} a happy {what}", f"write a {what} card for {name}", f"send {name} good wishes for the {what}"], "", lambda r: ("", f"Happy {what}, {name}!"))  # fmt: skip


RECORDS: list[Family] = [
    get_field, set_field, tell_record, fill_record, winner, price, about, build, greet, thank, apologize, invite, wish,
]  # fmt: skip
