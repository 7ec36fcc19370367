"""Families of tasks on single words: what the model has to know."""

from collections.abc import Mapping, Sequence
from random import Random

from pipeline.nano.draft import Draft, Family
from pipeline.nano.words import (
    CAPITALS,
    COLORS,
    COMPARATIVES,
    DAYS,
    KINDS,
    LANGUAGES,
    MEN,
    MONTHS,
    NAMES,
    NUMBERS,
    OPPOSITES,
    PLURALS,
    RELATIVES,
    ROMAN,
    SEASONS,
    SOUNDS,
    SYNONYMS,
    THINGS,
    VERBS,
    WOMEN,
    WORDS,
    WORKPLACES,
    YOUNG,
)  # fmt: skip


def lookup(table: Mapping[str, str], cores: Sequence[str], given: str) -> Draft:
    keys = list(table)

    def make(r: Random) -> tuple[str, str]:
        key = r.choice(keys)
        return key, table[key]

    return Draft(cores, given, make)


def a(word: str) -> str:
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"


def opposite(r: Random) -> Draft:
    return lookup(OPPOSITES, ["give the opposite of the word", "what is the antonym of the word?", "write a word with the opposite meaning", "turn the adjective into its contrary", "find the word that means the reverse"], r.choice(["a word", "an adjective"]))  # fmt: skip


def synonym(r: Random) -> Draft:
    return lookup(SYNONYMS, ["give a synonym of the word", "write another word with the same meaning", "which word means the same?", "replace the word by one that means nearly the same", "say this with a different word"], "a word")  # fmt: skip


def plural(r: Random) -> Draft:
    return lookup(PLURALS, ["give the plural of the noun", "write the noun in its plural form", "what do you call more than one of these?", "change the noun from one to many"], r.choice(["a noun", "a word"]))  # fmt: skip


def singular(r: Random) -> Draft:
    table = {many: one for one, many in PLURALS.items()}
    return lookup(table, ["give the singular of the noun", "write the noun in its singular form", "what is just one of them called?", "change the noun from many to one"], r.choice(["a plural noun", "a noun"]))  # fmt: skip


def past(r: Random) -> Draft:
    return lookup(VERBS, ["give the past tense of the verb", "write the verb as it was done yesterday", "what is the past form of the verb?", "put the verb into the past"], "a verb")  # fmt: skip


def base_verb(r: Random) -> Draft:
    return lookup({b: c for c, b in VERBS.items()}, ["give the base form of the verb", "write the verb in the present", "undo the past tense of the verb", "which verb is this the past of?"], "a verb in the past tense")  # fmt: skip


def young(r: Random) -> Draft:
    return lookup(YOUNG, ["what is the young of the animal called?", "name the baby of the animal", "give the word for this animal when it is newly born", "how do people call its young one?"], r.choice(["an animal", "the name of an animal"]))  # fmt: skip


def parent(r: Random) -> Draft:
    return lookup({b: c for c, b in YOUNG.items()}, ["which animal does the young one grow into?", "name the grown animal", "give the adult of this young animal"], "the name of a young animal")  # fmt: skip


def sound(r: Random) -> Draft:
    return lookup(SOUNDS, ["what sound does the animal make?", "write the noise that the animal makes", "how does this animal sound?", "give the call of the animal"], "an animal")  # fmt: skip


def capital(r: Random) -> Draft:
    return lookup(CAPITALS, ["give the capital of the country", "what is the capital city?", "name the city from which the country is governed", "which capital belongs to this country?"], r.choice(["a country", "the name of a country"]))  # fmt: skip


def country(r: Random) -> Draft:
    return lookup({b: c for c, b in CAPITALS.items()}, ["in which country is the city?", "name the country that has this capital", "say where the capital lies", "give the country of the city"], r.choice(["a city", "a capital"]))  # fmt: skip


def language(r: Random) -> Draft:
    return lookup(LANGUAGES, ["which language do people speak there?", "name the main language of the country", "give the language of the place", "what would you learn before moving there?"], "a country")  # fmt: skip


def color(r: Random) -> Draft:
    return lookup(COLORS, ["what color does the thing have?", "name the usual color of the thing", "give its color", "say how you would paint this"], r.choice(["a thing", "the name of a thing"]))  # fmt: skip


def day(r: Random) -> Draft:
    step, name = r.choice([(1, "after"), (-1, "before")])
    table = {d: DAYS[(i + step) % 7] for i, d in enumerate(DAYS)}
    other = "tomorrow" if step > 0 else "yesterday"
    return lookup(table, [f"give the day {name} the given one", f"which weekday comes {name} this day?", f"if this is today, what day is it {other}?", f"name the day that stands right {name} it in the week"], "a day of the week")  # fmt: skip


def month(r: Random) -> Draft:
    step, name = r.choice([(1, "after"), (-1, "before")])
    table = {m: MONTHS[(i + step) % 12] for i, m in enumerate(MONTHS)}
    return lookup(table, [f"give the month {name} the given one", f"which month comes {name} it?", f"name the month {name} this in the calendar", f"write the {'following' if step > 0 else 'preceding'} month"], "a month")  # fmt: skip


def to_digits(r: Random) -> Draft:
    table = {w: str(i) for i, w in enumerate(NUMBERS)}
    return lookup(
        table,
        ["write the number in digits", "turn the number word into a figure", "give the digits for the word"],
        "a number in words",
    )


def to_words(r: Random) -> Draft:
    table = {str(i): w for i, w in enumerate(NUMBERS)}
    return lookup(
        table,
        ["spell the number as a word", "write the figure in letters", "how is the number written as a word?"],
        "a number",
    )


def roman(r: Random) -> Draft:
    table = {str(i): w for i, w in enumerate(ROMAN, 1)}
    if r.random() < 0.5:
        return lookup(
            table,
            [
                "write the number as a Roman numeral",
                "give the Roman form of the number",
                "how did the Romans write it?",
            ],
            "a number",
        )
    return lookup({w: i for i, w in table.items()}, ["what number is the Roman numeral?", "turn the Roman numeral into a normal number", "read the Roman number and give digits"], "a Roman numeral")  # fmt: skip


def workplace(r: Random) -> Draft:
    return lookup(WORKPLACES, ["where does this person work?", "name the place of work for the job", "give the place where you would meet them at work"], r.choice(["a job", "a profession"]))  # fmt: skip


def degree(r: Random) -> Draft:
    index, name, hint = r.choice([(0, "comparative", "more"), (1, "superlative", "most")])
    table = {w: forms[index] for w, forms in COMPARATIVES.items()}
    return lookup(table, [f"give the {name} of the adjective", f"write the adjective in its {name} form", f"change the adjective so that it says {hint}"], "an adjective")  # fmt: skip


def relative(r: Random) -> Draft:
    return lookup(RELATIVES, ["give the other gender of the word", "write the matching word for the other sex", "what is the partner of the word, male for female or female for male?", "swap the gender of the person"], r.choice(["a word for a person", "a family word"]))  # fmt: skip


def initial(r: Random) -> Draft:
    return lookup({w: w[0] for w in WORDS}, ["give the first letter of the word", "with which letter does the word begin?", "write only the initial of the word", "name the letter at the start"], "a word")  # fmt: skip


def capitalize(r: Random) -> Draft:
    return lookup({w: w.capitalize() for w in WORDS}, ["write the word with a capital letter", "make the first letter of the word a capital", "capitalize the word"], "a word")  # fmt: skip


def kind_of(r: Random) -> Draft:
    x, y = r.sample(list(KINDS), 2)

    def make(r: Random) -> tuple[str, str]:
        kind = r.choice([x, y])
        return r.choice(KINDS[kind]), kind

    cores = [f"is the word {a(x)} or {a(y)}?", f"classify the word as {x} or {y}", f"answer {x} or {y}, whichever fits the word", f"put the word into one of two groups, {x} or {y}", f"label the input {x} or {y}"]  # fmt: skip
    return Draft(cores, "a word", make, True)


def is_kind(r: Random) -> Draft:
    kind = r.choice(list(KINDS))

    def make(r: Random) -> tuple[str, str]:
        inside = r.random() < 0.5
        other = r.choice([k for k in KINDS if k != kind])
        return r.choice(KINDS[kind if inside else other]), "yes" if inside else "no"

    cores = [f"is this {a(kind)}? Yes or no?", f"say yes if the word names {a(kind)} and no otherwise", f"decide whether it is {a(kind)}, yes or no", f"answer yes for {a(kind)}, no for anything else"]  # fmt: skip
    return Draft(cores, "a word", make, True)


def common_kind(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        kind = r.choice(list(KINDS))
        return " ".join(r.sample(KINDS[kind], 3)), kind

    return Draft(["what do the words have in common?", "name the kind of thing that all the words are", "find one heading for the words", "give the group that they belong to"], r.choice(["three words", "some related words"]), make)  # fmt: skip


def season(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        month = r.choice(MONTHS)
        return month, SEASONS[month]

    return Draft(["classify the month as winter, spring, summer or autumn", "is the month in winter, spring, summer or autumn?", "name the season of the month: winter, spring, summer or autumn"], "a month", make, True)  # fmt: skip


def article(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        word = r.choice(WORDS)
        return word, a(word).split()[0]

    return Draft(["which article goes before the word, a or an?", "choose a or an for the noun", "decide between a and an for the word"], "a noun", make, True)  # fmt: skip


def gender(r: Random) -> Draft:
    x, y = r.choice([("man", "woman"), ("he", "she"), ("male", "female"), ("boy", "girl")])

    def make(r: Random) -> tuple[str, str]:
        name = r.choice(NAMES)
        return name, y if name in WOMEN else x

    return Draft([f"does the name belong to a {x} or a {y}?", f"label the name {x} or {y}", f"classify the first name as {x} or {y}", f"answer {x} or {y} for the name"], r.choice(["a name", "a first name"]), make, True)  # fmt: skip


def name_or_thing(r: Random) -> Draft:
    groups = {"person": NAMES, "city": list(CAPITALS.values()), "country": list(CAPITALS), "month": MONTHS, "day": DAYS}
    x, y, z = r.sample(list(groups), 3)

    def make(r: Random) -> tuple[str, str]:
        group = r.choice([x, y, z])
        return r.choice(groups[group]), group

    return Draft([f"is it a {x}, a {y} or a {z}?", f"sort the name into {x}, {y} or {z}", f"choose the right label for the name: {x}, {y} or {z}"], "a proper name", make, True)  # fmt: skip


def define(r: Random) -> Draft:
    kind = r.choice(list(KINDS))
    word = r.choice(KINDS[kind])
    return Draft([f"say in one sentence what {a(word)} is", f"define the word {word}", f"explain what {word} means", f"what is {a(word)}?"], "", lambda r: ("", f"{a(word).capitalize()} is {a(kind)}."))  # fmt: skip


def example_of(r: Random) -> Draft:
    kind, many = r.choice(list(KINDS)), r.choice([1, 2, 3])
    s = "s" if many > 1 else ""
    return Draft([f"name {NUMBERS[many]} {kind}{s}", f"give {NUMBERS[many]} example{s} of {a(kind)}", f"list {NUMBERS[many]} kind{s} of {kind} that you know", f"think of {NUMBERS[many]} {kind}{s} and write the name{s}"], "", lambda r: ("", ", ".join(r.sample(KINDS[kind], many))))  # fmt: skip


def analogy(r: Random) -> Draft:
    tables = [(OPPOSITES, "adjectives"), (CAPITALS, "countries"), (YOUNG, "animals"), (RELATIVES, "people")]
    table, given = r.choice(tables)
    x = r.choice(list(table))

    def make(r: Random) -> tuple[str, str]:
        key = r.choice([k for k in table if k != x])
        return key, table[key]

    cores = [f"complete the pair as {x} goes with {table[x]}", f"find the word that belongs to this one as {table[x]} belongs to {x}", f"{x} leads to {table[x]}; say what the input leads to"]  # fmt: skip
    return Draft(cores, f"one of several {given}", make)


def men_and_things(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        name, thing = r.choice(MEN + WOMEN), r.choice(THINGS)
        first = r.random() < 0.5
        return (f"{name} {thing}" if first else f"{thing} {name}"), name

    return Draft(
        ["which of the two is a name?", "give the one that is a person", "pick the name and leave the thing"],
        "a person and a thing",
        make,
    )


LOOKUPS: list[Family] = [
    opposite, synonym, plural, singular, past, base_verb, young, parent, sound, capital, country, language, color, day,
    month, to_digits, to_words, roman, workplace, degree, relative, initial, capitalize, kind_of, is_kind, common_kind,
    season, article, gender, name_or_thing, define, example_of, analogy, men_and_things,
]  # fmt: skip
