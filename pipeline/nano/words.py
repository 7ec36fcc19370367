"""The words of nano's world: kinds of things, and what goes with what."""

KINDS = {
    "animal": "cat dog horse cow sheep lion tiger bear wolf fox rabbit mouse goat duck owl frog".split(),
    "fruit": "apple pear plum grape lemon mango peach cherry melon banana fig kiwi".split(),
    "vegetable": "carrot onion potato tomato bean pea leek cabbage pepper radish".split(),
    "color": "red blue green yellow black white pink purple brown gray".split(),
    "tool": "hammer saw drill wrench axe shovel rake ladder chisel broom".split(),
    "vehicle": "car bus train truck boat plane bike tram van ship".split(),
    "drink": "water tea coffee milk juice cocoa soda cider".split(),
    "garment": "shirt coat hat scarf glove sock shoe dress skirt belt".split(),
    "sport": "tennis hockey soccer golf rugby boxing rowing judo".split(),
    "instrument": "piano violin flute drum guitar harp trumpet cello".split(),
    "job": "baker farmer doctor teacher sailor painter lawyer waiter pilot barber".split(),
    "room": "kitchen bedroom cellar attic hall bathroom garage office".split(),
    "metal": "iron gold silver copper tin lead zinc nickel".split(),
    "shape": "circle square triangle cube cone star".split(),
}
WORDS = [word for words in KINDS.values() for word in words]
THINGS = [w for kind in ("animal", "fruit", "tool", "vehicle", "garment", "instrument") for w in KINDS[kind]]

WOMEN = "Anna Carla Emma Grace Iris Kate Mia Nina Rosa Sara Vera Zoe".split()
MEN = "Ben David Frank Henry Jack Leo Max Oscar Paul Sam Tom Victor".split()
NAMES = WOMEN + MEN

# verb: past
VERBS = {
    "buy": "bought", "sell": "sold", "find": "found", "hold": "held", "bring": "brought", "keep": "kept",
    "paint": "painted", "want": "wanted", "clean": "cleaned", "lose": "lost", "need": "needed", "catch": "caught",
    "carry": "carried", "watch": "watched", "love": "loved", "fetch": "fetched",
}  # fmt: skip
PLACES = ["at home", "in the park", "at school", "in the garden", "at the market", "by the river", "on the hill"]
TIMES = ["today", "in the morning", "at noon", "in the evening", "on Sunday", "last week"]

_OPPOSITES = {
    "hot": "cold", "big": "small", "tall": "short", "fast": "slow", "happy": "sad", "light": "dark", "old": "young",
    "hard": "soft", "rich": "poor", "clean": "dirty", "wet": "dry", "loud": "quiet", "early": "late",
    "strong": "weak", "full": "empty", "near": "far", "open": "closed", "thick": "thin", "deep": "shallow",
    "sharp": "dull", "wide": "narrow", "heavy": "weightless", "new": "used", "brave": "timid",
}  # fmt: skip
OPPOSITES = _OPPOSITES | {b: a for a, b in _OPPOSITES.items()}
ADJECTIVES = ["big", "small", "old", "new", "clean", "dirty", "heavy", "wet", "dry", "soft", *KINDS["color"]]
SYNONYMS = {
    "quick": "fast", "glad": "happy", "large": "big", "little": "small", "begin": "start", "end": "finish",
    "speak": "talk", "shut": "close", "wealthy": "rich", "silent": "quiet", "angry": "mad", "sick": "ill",
    "gift": "present", "road": "street", "stone": "rock", "woods": "forest", "jump": "leap", "smart": "clever",
    "simple": "easy", "scared": "afraid", "tired": "sleepy", "pretty": "beautiful", "weird": "strange", "buy": "purchase",
}  # fmt: skip
COMPARATIVES = {
    w: (w + "er", w + "est")
    for w in "tall short fast slow old young hard soft rich poor loud strong weak deep dull".split()
}
PLURALS = {w: w + "s" for kind in ("tool", "vehicle", "garment", "instrument", "job") for w in KINDS[kind]} | {
    "dress": "dresses", "bus": "buses", "mouse": "mice", "sheep": "sheep", "goose": "geese", "child": "children",
    "man": "men", "woman": "women", "tooth": "teeth", "foot": "feet", "wolf": "wolves", "knife": "knives",
    "cherry": "cherries", "peach": "peaches", "box": "boxes", "fox": "foxes", "baby": "babies", "cat": "cats",
    "dog": "dogs", "cow": "cows", "lion": "lions", "apple": "apples", "pear": "pears", "lemon": "lemons",
}  # fmt: skip
YOUNG = {
    "cat": "kitten", "dog": "puppy", "cow": "calf", "sheep": "lamb", "horse": "foal", "lion": "cub", "duck": "duckling",
    "goat": "kid", "frog": "tadpole", "owl": "owlet", "pig": "piglet", "hen": "chick",
}  # fmt: skip
SOUNDS = {
    "cat": "meow", "dog": "woof", "cow": "moo", "sheep": "baa", "horse": "neigh", "lion": "roar", "duck": "quack",
    "frog": "croak", "owl": "hoot", "mouse": "squeak", "wolf": "howl", "hen": "cluck",
}  # fmt: skip
CAPITALS = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Germany": "Berlin", "Japan": "Tokyo", "Egypt": "Cairo",
    "Peru": "Lima", "Norway": "Oslo", "Greece": "Athens", "Kenya": "Nairobi", "Cuba": "Havana", "Austria": "Vienna",
    "Poland": "Warsaw", "Chile": "Santiago", "Ireland": "Dublin", "Portugal": "Lisbon",
}  # fmt: skip
LANGUAGES = {
    "France": "French", "Italy": "Italian", "Spain": "Spanish", "Germany": "German", "Japan": "Japanese",
    "Egypt": "Arabic", "Peru": "Spanish", "Norway": "Norwegian", "Greece": "Greek", "Austria": "German",
    "Poland": "Polish", "Cuba": "Spanish", "Portugal": "Portuguese", "Chile": "Spanish",
}  # fmt: skip
COLORS = {
    "banana": "yellow", "lemon": "yellow", "cherry": "red", "tomato": "red", "grass": "green", "frog": "green",
    "pea": "green", "snow": "white", "milk": "white", "coal": "black", "sky": "blue", "sea": "blue", "plum": "purple",
    "pig": "pink", "mouse": "gray", "coffee": "brown", "potato": "brown", "fire": "red", "leaf": "green",
}  # fmt: skip
WORKPLACES = {
    "baker": "bakery", "farmer": "farm", "doctor": "hospital", "teacher": "school", "sailor": "ship",
    "painter": "studio", "lawyer": "court", "waiter": "restaurant", "pilot": "plane", "barber": "shop",
}  # fmt: skip
RELATIVES = {
    "brother": "sister", "father": "mother", "son": "daughter", "uncle": "aunt", "king": "queen", "man": "woman",
    "boy": "girl", "husband": "wife", "nephew": "niece", "grandfather": "grandmother",
}  # fmt: skip
RELATIVES |= {b: a for a, b in RELATIVES.items()}
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SEASONS = {m: s for s, i in dict(winter=11, spring=2, summer=5, autumn=8).items() for m in (MONTHS * 2)[i : i + 3]}
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
ROMAN = "I II III IV V VI VII VIII IX X XI XII".split()
ORDINALS = ["first", "second", "third", "fourth"]

GOOD = "great wonderful lovely amazing excellent pleasant charming brilliant".split()
BAD = "terrible awful boring horrible nasty dreadful ugly poor".split()
REVIEWED = "movie book meal trip hotel song game show lesson concert".split()
TOPICS = {
    "weather": ["The rain will stop at noon.", "It is cold and windy.", "Snow fell all night.", "A storm is near.",
                "The sun is out today.", "Fog covers the river.", "It was a hot and dry week."],
    "food": ["The soup needs salt.", "She baked a cake.", "We had rice and beans.", "The bread is fresh.",
             "He cut the cheese.", "Dinner was pasta.", "They fried an egg."],
    "sport": ["Our team won the match.", "He scored a goal.", "She ran a race.", "The coach is proud.",
              "They lost the final.", "He hit the ball.", "The players are tired."],
    "money": ["The bank raised its rates.", "Rent is due today.", "She saved ten coins.", "The price fell again.",
              "He paid the bill.", "Taxes went up.", "They owe us a loan."],
}  # fmt: skip
FORMAL = ["Dear Sir, I would like to request a refund.", "We kindly ask you to reply soon.",
          "Please accept our apologies.", "I look forward to your answer.", "Thank you for your letter."]  # fmt: skip
CASUAL = ["hey, gimme my money back", "yo, write me back", "oops, my bad", "catch you later", "thanks a bunch, pal"]
EVENTS = ["dinner", "a picnic", "a concert", "a game", "the party", "lunch", "a walk"]
GIFTS = ["book", "scarf", "cake", "clock", "vase", "lamp", "pen"]
FAULTS = ["being late", "the noise", "the mistake", "the delay", "the mess"]
