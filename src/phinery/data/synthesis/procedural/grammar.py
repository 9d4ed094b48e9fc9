"""Small tools for composing English sentences; each is a pure function of a `random.Random`.

Only `Random.random` is used below them all: its stream is the same in every version of Python,
while `choice`, `shuffle` and `sample` have changed theirs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from random import Random
from typing import Any, TypeVar

Value = TypeVar("Value")


def pick(random: Random, values: Sequence[Value]) -> Value:
    """One of the values."""
    return values[int(random.random() * len(values))]


def between(random: Random, low: int, high: int, step: int = 1) -> int:
    """A whole number from `low` to `high`, both possible, in steps from `low`."""
    return low + step * int(random.random() * ((high - low) // step + 1))


def chance(random: Random, probability: float) -> bool:
    """True that often."""
    return random.random() < probability


def shuffled(random: Random, values: Sequence[Value]) -> list[Value]:
    """The values in a random order (Fisher and Yates)."""
    result = list(values)
    for last in range(len(result) - 1, 0, -1):
        other = int(random.random() * (last + 1))
        result[last], result[other] = result[other], result[last]
    return result


def several(random: Random, values: Sequence[Value], count: int) -> list[Value]:
    """`count` different places of the sequence, in random order."""
    assert count <= len(values)
    rest = list(values)
    return [rest.pop(int(random.random() * len(rest))) for _ in range(count)]


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str
    attribute: str
    form: str
    """Such as "a" for an indefinite article before it, "^" for a capital, "" for as it is."""


@dataclass(frozen=True, slots=True)
class _Choice:
    alternatives: tuple[tuple[_Part, ...], ...]


_Part = str | _Slot | _Choice


def _parse_slot(body: str) -> _Slot:
    form = ""
    if body.startswith("^"):
        form, body = "^", body[1:]
    elif body.startswith("a "):
        form, body = "a", body[2:]
    name, _, attribute = body.partition(".")
    return _Slot(name, attribute, form)


def _parse(template: str, at: int, inside: bool) -> tuple[list[tuple[_Part, ...]], int]:
    """The alternatives from `at` to the closing parenthesis or the end, and where that is."""
    alternatives: list[tuple[_Part, ...]] = []
    parts: list[_Part] = []
    while at < len(template):
        character = template[at]
        if character == "{":
            end = template.index("}", at)
            parts.append(_parse_slot(template[at + 1 : end]))
            at = end + 1
        elif character == "(":
            inner, end = _parse(template, at + 1, inside=True)
            if len(inner) > 1:
                parts.append(_Choice(tuple(inner)))
            else:
                parts.extend(["(", *inner[0], ")"])
            at = end + 1
        elif inside and character == ")":
            alternatives.append(tuple(parts))
            return alternatives, at
        elif inside and character == "|":
            alternatives.append(tuple(parts))
            parts = []
            at += 1
        else:
            end = at + 1
            while end < len(template) and template[end] not in "{(|)":
                end += 1
            parts.append(template[at:end])
            at = end
    assert not inside, f"unclosed parenthesis in {template!r}"
    alternatives.append(tuple(parts))
    return alternatives, at


@lru_cache(maxsize=16384)
def _parsed(template: str) -> tuple[_Part, ...]:
    return _parse(template, 0, inside=False)[0][0]


def _expand(
    random: Random, parts: tuple[_Part, ...], slots: dict[str, Any], written: list[str]
) -> None:
    for part in parts:
        if isinstance(part, str):
            written.append(part)
        elif isinstance(part, _Choice):
            alternatives = part.alternatives
            _expand(random, alternatives[int(random.random() * len(alternatives))], slots, written)
        else:
            value = slots[part.name]
            if part.attribute:
                value = getattr(value, part.attribute)
            if isinstance(value, tuple):
                value = phrase(random, pick(random, value), **slots)
            text = grouped(value) if type(value) is int else str(value)
            if part.form == "a":
                text = with_article(text)
            elif part.form == "^":
                text = capitalized(text)
            written.append(text)


def phrase(random: Random, template: str, /, **slots: Any) -> str:
    """Expands a phrase.

    `(a|b|c)` is one of the alternatives, which may nest and may be empty; parentheses without a
    bar stand for themselves. `{name}` is the slot's text, `{name.part}` an attribute of it,
    `{^name}` the text with a capital, `{a name}` the text with "a" or "an" before it. A slot that
    holds a tuple of templates is a rule: one of them is expanded with the same slots.
    """
    written: list[str] = []
    _expand(random, _parsed(template), slots, written)
    return "".join(written)


def say(random: Random, template: str, /, **slots: Any) -> str:
    """Expands a phrase and begins it with a capital letter."""
    text = capitalized(phrase(random, template, **slots))
    # An alternative may be empty, and one that asks may be followed by the stop of the others.
    if "?." in text:
        text = text.replace("?.", "?")
    if any(loose in text for loose in ("  ", " .", " ,", " ?", " ;")):
        text = _LOOSE_SPACE.sub("", text)
    return text


_LOOSE_SPACE = re.compile(r" +(?=[.,;?!](?!\.)| )")


def capitalized(text: str) -> str:
    """The text with its first letter as a capital and the others as they are."""
    return text[:1].upper() + text[1:]


_SILENT_H = ("hour", "honest", "honour", "heir")
_SOUNDS_LIKE_YOU = ("uni", "use", "usu", "eu", "one", "once", "ut", "ura")
_VOWEL_UNI = ("unin", "unim", "unid")


def article(text: str) -> str:
    """The article, "a" or "an", that the sound of a text asks for; the text may be a number."""
    word = text.lower()
    if word[:1].isdigit():
        digits = ""
        for character in word.replace(",", ""):
            if not character.isdigit():
                break
            digits += character
        # "eight..." and the groups read "eleven" and "eighteen" begin with a vowel.
        leading = digits[: (len(digits) - 1) % 3 + 1]
        return "an" if digits[0] == "8" or leading in ("11", "18") else "a"
    if word.startswith(_SILENT_H):
        return "an"
    if word.startswith(_SOUNDS_LIKE_YOU) and not word.startswith(_VOWEL_UNI):
        return "a"
    return "an" if word[:1] in ("a", "e", "i", "o", "u") else "a"


def with_article(text: str) -> str:
    """The text after its indefinite article."""
    return f"{article(text)} {text}"


_IRREGULAR = {
    "child": "children", "person": "people", "man": "men", "woman": "women", "foot": "feet",
    "tooth": "teeth", "goose": "geese", "mouse": "mice", "ox": "oxen", "sheep": "sheep",
    "fish": "fish", "deer": "deer", "leaf": "leaves", "loaf": "loaves", "shelf": "shelves",
    "knife": "knives", "half": "halves", "wolf": "wolves", "life": "lives", "calf": "calves",
    "scarf": "scarves", "thief": "thieves", "wife": "wives", "potato": "potatoes",
    "tomato": "tomatoes", "hero": "heroes", "mango": "mangoes", "quiz": "quizzes",
    "vertex": "vertices", "radius": "radii", "series": "series", "die": "dice",
}  # fmt: skip


def plural(noun: str) -> str:
    """The plural of a noun or of a phrase that ends in one, or whose head stands before "of"."""
    head, of, rest = noun.partition(" of ")
    if of:
        return plural(head) + of + rest
    before, space, last = noun.rpartition(" ")
    return before + space + _plural_word(last)


@lru_cache(maxsize=4096)
def _plural_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("y") and word[-2:-1] not in ("a", "e", "i", "o", "u"):
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word + "s"


def noun_for(count: int | Fraction, noun: str) -> str:
    """The noun in the form that goes with a count."""
    return noun if count == 1 else plural(noun)


def counted(count: int, noun: str) -> str:
    """Such as "1 apple", "12 apples", "1,200 apples"."""
    return f"{grouped(count)} {noun_for(count, noun)}"


def grouped(number: int) -> str:
    """A whole number in digits, with commas from ten thousand on."""
    return f"{number:,}" if abs(number) >= 10_000 else str(number)


def listed(things: Sequence[str], word: str = "and") -> str:
    """Such as "a", "a and b", "a, b and c"."""
    if len(things) == 1:
        return things[0]
    return f"{', '.join(things[:-1])} {word} {things[-1]}"


_BELOW_TWENTY = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand"))


def number_words(number: int) -> str:
    """A whole number below a trillion in words, such as "two hundred and six"."""
    if number < 0:
        return f"minus {number_words(-number)}"
    if number < 20:
        return _BELOW_TWENTY[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f"-{_BELOW_TWENTY[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{_BELOW_TWENTY[hundreds]} hundred" + (f" and {number_words(rest)}" if rest else "")
    for scale, name in _SCALES:
        if number >= scale:
            many, rest = divmod(number, scale)
            joint = " and " if rest < 100 else ", "
            return f"{number_words(many)} {name}" + (f"{joint}{number_words(rest)}" if rest else "")
    raise AssertionError("unreachable")


_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip


def ordinal_words(number: int) -> str:
    """Such as "first", "twenty-third", "hundredth" without "one" before it."""
    before, dash, last = number_words(number).rpartition("-")
    if not dash:
        before, dash, last = last.rpartition(" ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return before + dash + last


def ordinal(number: int) -> str:
    """Such as "1st", "2nd", "3rd", "11th", "23rd"."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a story, with the pronouns that go with the name."""

    name: str
    he: str
    him: str
    his: str

    def __str__(self) -> str:
        return self.name

    @property
    def s(self) -> str:
        """The possessive of the name."""
        return f"{self.name}'s"

    @property
    def himself(self) -> str:
        """The reflexive pronoun."""
        return f"{self.him}self"


_HER_NAMES = (
    "Amina", "Aisha", "Ananya", "Anja", "Astrid", "Beatriz", "Bronwyn", "Camila", "Chiara",
    "Chloe", "Daniela", "Ebele", "Eilidh", "Elena", "Esther", "Fatima", "Freya", "Gabriela",
    "Grace", "Hana", "Hannah", "Helga", "Imani", "Ingrid", "Iris", "Jasmine", "Jiwoo", "Julia",
    "Kavya", "Keiko", "Kiri", "Lakshmi", "Layla", "Leilani", "Lena", "Lindiwe", "Lucia", "Mai",
    "Malia", "Marta", "Mariam", "Maya", "Mei", "Miriam", "Nadia", "Naledi", "Naomi", "Nia",
    "Ngozi", "Noor", "Nora", "Olga", "Oluchi", "Parvati", "Petra", "Priya", "Rania", "Rosa",
    "Ruth", "Sakura", "Salma", "Sana", "Sara", "Selma", "Shanti", "Signe", "Sofia", "Stella",
    "Svetlana", "Tala", "Tamar", "Thandi", "Tuyen", "Uma", "Valentina", "Wanjiru", "Wren",
    "Xiomara", "Yara", "Yasmin", "Yuki", "Zahra", "Zainab", "Zofia",
)  # fmt: skip
_HIS_NAMES = (
    "Abdul", "Adam", "Ahmed", "Alejandro", "Amir", "Anders", "Andrei", "Arjun", "Arun", "Ben",
    "Bilal", "Bao", "Callum", "Carlos", "Chidi", "Chinedu", "Daniel", "Dario", "David", "Dawit",
    "Diego", "Dmitri", "Elias", "Emeka", "Emil", "Enzo", "Esteban", "Farid", "Felipe", "Finn",
    "Gabriel", "George", "Goran", "Haruto", "Hassan", "Hiroshi", "Hugo", "Ibrahim", "Idris",
    "Igor", "Isaac", "Ivan", "Jamal", "Javier", "Jonas", "Jorge", "Joseph", "Juma", "Kaito",
    "Karim", "Kenji", "Kofi", "Kwame", "Lars", "Leo", "Levi", "Liam", "Luca", "Malik", "Marek",
    "Mateo", "Matti", "Miguel", "Milan", "Minh", "Musa", "Nikhil", "Noah", "Omar", "Oscar",
    "Owen", "Pablo", "Pavel", "Pedro", "Rafael", "Ravi", "Rohan", "Samir", "Samuel", "Sanjay",
    "Sefa", "Simon", "Sipho", "Stefan", "Tariq", "Tendai", "Theo", "Tomas", "Tunde", "Viktor",
    "Wei", "Yusuf", "Zoltan",
)  # fmt: skip

PEOPLE: tuple[Person, ...] = tuple(
    [Person(name, "she", "her", "her") for name in _HER_NAMES]
    + [Person(name, "he", "him", "his") for name in _HIS_NAMES]
)


def people(random: Random, count: int) -> list[Person]:
    """So many different people, no two of whose names begin alike, to tell them apart."""
    result: list[Person] = []
    while len(result) < count:
        person = pick(random, PEOPLE)
        if all(person.name[:2] != other.name[:2] for other in result):
            result.append(person)
    return result


def decimal(number: Fraction | int, places: int | None = None) -> str:
    """A number in decimals, exactly, or rounded half away from zero to so many places.

    Raises
    ------
        ValueError: it has no end in decimals and `places` is not given.
    """
    value = Fraction(number)
    if places is None:
        places = 0
        while (value * 10**places).denominator != 1:
            places += 1
            if places > 20:
                raise ValueError(f"{value} has no finite decimal form: give the places")
    scaled = abs(value) * 10**places
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    before, after = divmod(whole, 10**places)
    sign = "-" if value < 0 and whole else ""
    return f"{sign}{grouped(before)}" + (f".{after:0{places}d}" if places else "")
