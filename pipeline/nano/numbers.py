"""Families of tasks on numbers."""

from random import Random

from pipeline.nano.draft import Draft, Family
from pipeline.nano.words import NAMES, THINGS


def sort_numbers(r: Random) -> Draft:
    down = r.random() < 0.5
    order = "from large to small" if down else "from small to large"

    def make(r: Random) -> tuple[str, str]:
        numbers = r.sample(range(1, 21), r.randint(3, 4))
        return " ".join(map(str, numbers)), " ".join(map(str, sorted(numbers, reverse=down)))

    return Draft([f"sort the numbers {order}", f"put the numbers in order {order}", f"arrange these values {order}", f"list the numbers again, {order}"], r.choice(["some numbers", "a list of numbers"]), make)  # fmt: skip


def extreme(r: Random) -> Draft:
    pick, names = r.choice([(max, ["largest", "biggest", "highest"]), (min, ["smallest", "lowest", "least"])])
    name = r.choice(names)

    def make(r: Random) -> tuple[str, str]:
        numbers = r.sample(range(1, 31), r.randint(2, 4))
        return " ".join(map(str, numbers)), str(pick(numbers))

    cores = [
        f"give the {name} number",
        f"find the {name} of the numbers",
        f"which number is the {name}?",
        f"look for the {name} value and write it down",
    ]
    return Draft(cores, r.choice(["some numbers", "a list of numbers", "a few numbers"]), make)


def add(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        a, b = r.randint(0, 12), r.randint(0, 12)
        return f"{a} and {b}", str(a + b)

    return Draft(["add the two numbers", "what is the sum of the numbers?", "work out the total of both numbers", "put the two numbers together and give the result"], "two numbers", make)  # fmt: skip


def subtract(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        a, b = r.randint(0, 12), r.randint(0, 12)
        return f"{a + b} and {b}", str(a)

    return Draft(["subtract the second number from the first", "take the smaller number away from the larger", "what is the difference of the numbers?", "how much is left when the second is taken from the first?"], "two numbers", make)  # fmt: skip


def story_sum(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        a, b, thing = r.randint(1, 9), r.randint(1, 9), r.choice(THINGS)
        return f"{r.choice(NAMES)} has {a} {thing} cards and gets {b} more.", str(a + b)

    return Draft(["solve the problem", "work out how many cards there are in the end", "how many are there at last?", "give the final number of cards"], r.choice(["a small story with numbers", "a short problem"]), make)  # fmt: skip


def next_number(r: Random) -> Draft:
    step = r.choice([1, -1, 2, 10])
    name = {1: "one more than", -1: "one less than", 2: "two more than", 10: "ten more than"}[step]

    def make(r: Random) -> tuple[str, str]:
        number = r.randint(1, 40)
        return str(number), str(number + step)

    return Draft(
        [f"give the number that is {name} this one", f"what is {name} the number?", f"write {name} the input"],
        "a number",
        make,
    )


def parity(r: Random) -> Draft:
    def make(r: Random) -> tuple[str, str]:
        number = r.randint(0, 99)
        return str(number), "odd" if number % 2 else "even"

    return Draft(["is the number odd or even?", "decide whether the number is odd or even", "classify the number as odd or even", "label the number with odd or even", "say even if two divides the number and odd if not"], "a number", make, True)  # fmt: skip


def compare(r: Random) -> Draft:
    larger = r.random() < 0.5
    name = r.choice(["larger", "greater", "higher"] if larger else ["smaller", "lower"])

    def make(r: Random) -> tuple[str, str]:
        a, b = r.sample(range(1, 31), 2)
        return f"{a} and {b}", "first" if (a > b) == larger else "second"

    return Draft([f"which number is {name}, the first or the second?", f"answer first or second to say which number is {name}", f"tell me whether the first or the second number is {name}"], "two numbers", make, True)  # fmt: skip


def threshold(r: Random) -> Draft:
    bound = r.randint(5, 25)
    name = r.choice(["more than", "greater than", "above", "over"])

    def make(r: Random) -> tuple[str, str]:
        number = r.choice([n for n in range(1, 31) if n != bound])
        return str(number), "yes" if number > bound else "no"

    return Draft([f"is the number {name} {bound}? Yes or no?", f"say yes for a number {name} {bound} and no for any other", f"answer yes or no: is it {name} {bound}?", f"decide if the value is {name} {bound}, yes or no"], "a number", make, True)  # fmt: skip


def count_up(r: Random) -> Draft:
    a, length = r.randint(1, 12), r.randint(3, 5)
    numbers = [str(n) for n in range(a, a + length)]
    b = numbers[-1]
    return Draft([f"count from {a} to {b}", f"write the numbers from {a} up to {b}", f"list every number between {a} and {b}, with both ends", f"begin at {a} and count on until {b}"], "", lambda r: ("", " ".join(numbers)))  # fmt: skip


NUMERIC: list[Family] = [
    sort_numbers, extreme, add, subtract, story_sum, next_number, parity, compare, threshold, count_up,
]  # fmt: skip
