"""Families of tasks on lists of words."""

from collections.abc import Callable
from random import Random

from pipeline.nano.draft import Draft, Family
from pipeline.nano.words import KINDS, NUMBERS, ORDINALS, WORDS

LAYOUTS: list[tuple[str, str]] = [(" ", ""), (", ", ", with commas between them"), ("\n", ", one on each line")]


def listing(r: Random) -> tuple[Callable[[list[str]], str], str, str]:
    """The layout of a task's lists: a function that joins the members, the noun for the list, and the noun for a member."""
    mark, how = r.choices(LAYOUTS, [4, 2, 2])[0]
    noun = r.choice(["words", "words", "items", "terms"])
    given = r.choice([f"a list of {noun}", f"some {noun}", f"a few {noun}", f"a row of {noun}"])
    return mark.join, given + (how if r.random() < 0.5 else ""), noun


def some(r: Random, low: int = 3, high: int = 6) -> list[str]:
    return r.sample(WORDS, r.randint(low, high))


def reverse(r: Random) -> Draft:
    join, given, noun = listing(r)

    def make(r: Random) -> tuple[str, str]:
        words = some(r)
        return join(words), join(words[::-1])

    cores = [f"reverse the order of the {noun}", f"give the {noun} in reverse order", f"put the {noun} backwards",
             f"write the {noun} from the last to the first", "turn the list around", "start at the end and list everything back to the beginning"]  # fmt: skip
    return Draft(cores, given, make)


def nth(r: Random) -> Draft:
    join, given, noun = listing(r)
    place = r.choice([*range(4), -1])
    which = "last" if place < 0 else ORDINALS[place]
    item = noun[:-1]

    def make(r: Random) -> tuple[str, str]:
        words = some(r, 4)
        return join(words), words[place]

    cores = [f"give the {which} {item}", f"what is the {which} {item}?", f"pick out the {which} {item} of the list", f"name whatever stands in {which} place",
             f"return only the {which} of the {noun}", f"which {item} comes {which}?"]  # fmt: skip
    return Draft(cores, given, make)


def count(r: Random) -> Draft:
    join, given, noun = listing(r)

    def make(r: Random) -> tuple[str, str]:
        words = some(r, 2, 7)
        return join(words), str(len(words))

    cores = [f"count the {noun}", f"how many {noun} are there?", f"give the number of {noun} in the list", "say how long the list is", f"tell me how many {noun} you can see"]  # fmt: skip
    return Draft(cores, given, make)


def remove_nth(r: Random) -> Draft:
    join, given, noun = listing(r)
    place = r.choice([0, 1, -1])
    which = "last" if place < 0 else ORDINALS[place]

    def make(r: Random) -> tuple[str, str]:
        words = some(r, 3)
        rest = list(words)
        del rest[place]
        return join(words), join(rest)

    cores = [f"remove the {which} {noun[:-1]}", f"drop the {which} of the {noun}", f"write the list without its {which} {noun[:-1]}",
             f"leave out the {which} {noun[:-1]} and give the rest", f"delete what comes {which}"]  # fmt: skip
    return Draft(cores, given, make)


def append(r: Random) -> Draft:
    join, given, _ = listing(r)
    word, front = r.choice(WORDS), r.random() < 0.5
    end = r.choice(["beginning", "front"] if front else ["end", "back"])

    def make(r: Random) -> tuple[str, str]:
        words = [w for w in some(r) if w != word]
        return join(words), join([word, *words] if front else [*words, word])

    place = "before" if front else "after"
    cores = [f"add the word {word} at the {end}", f"put {word} {place} all the others", f"extend the list with {word} at its {end}",
             f"write the list with {word} {place} everything else"]  # fmt: skip
    return Draft(cores, given, make)


def swap_ends(r: Random) -> Draft:
    join, given, noun = listing(r)

    def make(r: Random) -> tuple[str, str]:
        words = some(r, 3, 5)
        return join(words), join([words[-1], *words[1:-1], words[0]])

    cores = [f"swap the first and the last {noun[:-1]}", f"exchange the two outer {noun}", f"let the first and last {noun[:-1]} change places", "trade the two ends of the list"]  # fmt: skip
    return Draft(cores, given, make)


def take(r: Random) -> Draft:
    join, given, noun = listing(r)
    many, last = r.choice([2, 3]), r.random() < 0.4
    which = f"{'last' if last else 'first'} {NUMBERS[many]}"

    def make(r: Random) -> tuple[str, str]:
        words = some(r, 4)
        return join(words), join(words[-many:] if last else words[:many])

    cores = [f"keep only the {which} {noun}", f"copy the {which} {noun}", f"give me just the {which}", f"shorten the list to its {which} {noun}", f"what are the {which} {noun}?"]  # fmt: skip
    return Draft(cores, given, make)


def repeat(r: Random) -> Draft:
    times = r.choice([2, 3, 4])
    often = {2: "twice", 3: "three times", 4: "four times"}[times]

    def make(r: Random) -> tuple[str, str]:
        word = r.choice(WORDS)
        return word, " ".join([word] * times)

    return Draft([f"repeat the word {often}", f"write the word {often}", f"say it {often} in a row", f"copy the given word {often}"], "a word", make)  # fmt: skip


def rejoin(r: Random) -> Draft:
    mark, name = r.choice([(", ", "commas"), (" and ", "the word and"), ("; ", "semicolons"), (" - ", "dashes"), (" or ", "the word or"), (" / ", "slashes")])  # fmt: skip

    def make(r: Random) -> tuple[str, str]:
        words = some(r, 2, 5)
        return " ".join(words), mark.join(words)

    cores = [f"put {name} between the words", f"join the words with {name}", f"separate the words by {name}", f"write the words in one row with {name} in between"]  # fmt: skip
    return Draft(cores, r.choice(["a list of words", "some words"]), make)


def number_items(r: Random) -> Draft:
    join, given, noun = listing(r)

    def make(r: Random) -> tuple[str, str]:
        words = some(r, 2, 5)
        return join(words), join([f"{i} {word}" for i, word in enumerate(words, 1)])

    return Draft([f"number the {noun}", f"put a number before each of the {noun}", f"write the position in front of every {noun[:-1]}", "turn this into a numbered list"], given, make)  # fmt: skip


def contains(r: Random) -> Draft:
    join, given, noun = listing(r)
    word = r.choice(WORDS)

    def make(r: Random) -> tuple[str, str]:
        words = [w for w in some(r, 3, 5) if w != word]
        if found := r.random() < 0.5:
            words[r.randrange(len(words))] = word
        return join(words), "yes" if found else "no"

    cores = [f"does the list contain {word}? Yes or no?", f"say yes if {word} is among the {noun} and no if it is not", f"is {word} one of the {noun}? Answer yes or no?",
             f"check the list for {word} and answer yes or no", f"decide whether {word} occurs, yes or no"]  # fmt: skip
    return Draft(cores, given, make, True)


def replace(r: Random) -> Draft:
    join, given, _ = listing(r)
    old, new = r.sample(WORDS, 2)

    def make(r: Random) -> tuple[str, str]:
        words = [w for w in some(r, 3, 5) if w not in (old, new)]
        words[r.randrange(len(words))] = old
        return join(words), join([new if w == old else w for w in words])

    cores = [
        f"replace {old} by {new}",
        f"change the word {old} to {new}",
        f"write {new} wherever {old} stands",
        f"put {new} in the place of {old}",
    ]
    return Draft(cores, given, make)


def odd_one_out(r: Random) -> Draft:
    join, given, noun = listing(r)

    def make(r: Random) -> tuple[str, str]:
        most, other = r.sample(list(KINDS), 2)
        odd = r.choice(KINDS[other])
        words = r.sample(KINDS[most], 3)
        words.insert(r.randint(0, 3), odd)
        return join(words), odd

    item = noun[:-1]
    cores = [f"find the {item} that does not belong", "which one is the odd one out?", f"name the one of the {noun} that is unlike the others", f"pick the {item} that is of another kind than the rest"]  # fmt: skip
    return Draft(cores, given, make)


def keep_kind(r: Random) -> Draft:
    join, given, noun = listing(r)
    kind = r.choice(list(KINDS))

    def make(r: Random) -> tuple[str, str]:
        inside = r.sample(KINDS[kind], r.randint(1, 2))
        words = inside + r.sample([w for w in WORDS if w not in KINDS[kind]], 2)
        r.shuffle(words)
        return join(words), join([w for w in words if w in inside])

    cores = [f"keep only the {kind} names", f"list those {noun} that name a {kind}", f"pick every {kind}", f"which of the {noun} stand for a {kind}?", f"throw out everything that is not a {kind}"]  # fmt: skip
    return Draft(cores, given, make)


def after(r: Random) -> Draft:
    join, given, noun = listing(r)
    word = r.choice(WORDS)

    def make(r: Random) -> tuple[str, str]:
        words = [w for w in some(r, 4, 5) if w != word]
        place = r.randrange(len(words) - 1)
        words[place] = word
        return join(words), words[place + 1]

    item = noun[:-1]
    cores = [f"which {item} comes right after {word}?", f"find {word} and give the {item} behind it", f"write the {item} that follows {word}", f"name the neighbor to the right of {word}"]  # fmt: skip
    return Draft(cores, given, make)


LISTS: list[Family] = [
    reverse, nth, count, remove_nth, append, swap_ends, take, repeat, rejoin, number_items, contains, replace,
    odd_one_out, keep_kind, after,
]  # fmt: skip
