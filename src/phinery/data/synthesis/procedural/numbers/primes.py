"""Prime numbers: telling them apart and splitting a number into them."""

from __future__ import annotations

from math import isqrt
from random import Random

from phinery.data.synthesis.procedural.forms import Problem, taught
from phinery.data.synthesis.procedural.grammar import between, pick, say

PRIMES = (
    2,
    3,
    5,
    7,
    11,
    13,
    17,
    19,
    23,
    29,
    31,
    37,
    41,
    43,
    47,
    53,
    59,
    61,
    67,
    71,
    73,
    79,
    83,
    89,
    97,
)


def _factors(number: int) -> list[int]:
    result: list[int] = []
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            result.append(divisor)
            number //= divisor
        divisor += 1
    return result + ([number] if number > 1 else [])


def _factorization(random: Random, difficulty: int) -> Problem:
    number = 1
    while number < 12 * 4 ** (difficulty - 2) or len(_factors(number)) < 2:
        number *= pick(
            random, (2, 2, 2, 3, 3, 5, 7) if difficulty < 4 else (2, 2, 3, 3, 5, 7, 11, 13)
        )
    factors = _factors(number)
    steps = [
        say(
            random,
            "(Divide by the smallest prime that fits, again and again|Try the primes in order: 2, "
            "3, 5, 7 and so on|Start with small primes, because they are quick to test).",
        )
    ]
    rest = number
    for prime in factors[:-1]:
        reason = {
            2: "{rest} is even",
            3: "the digits of {rest} add up to {sum}, a multiple of 3",
            5: "{rest} ends in {last}",
        }.get(prime, "no smaller prime divides {rest}, but {p} does").format(
            rest=rest, sum=sum(int(digit) for digit in str(rest)), last=rest % 10, p=prime
        )
        steps.append(
            say(
                random,
                "({^reason}, so divide by {p}|Since {reason}, {p} is a factor): {rest} ÷ {p} = "
                "{next}.",
                reason=reason,
                p=prime,
                rest=rest,
                next=rest // prime,
            )
        )
        rest //= prime
    steps.append(
        say(
            random,
            "(What is left, {r}, is prime, so we stop|{r} is a prime number, and the work is "
            "done).",
            r=rest,
        )
    )
    product = " × ".join(str(prime) for prime in factors)
    other = list(factors)
    other[0] = 3 if other[0] == 2 else 2
    other.sort()
    return Problem(
        say(
            random,
            "(Write {n} as a product of primes.|Find the prime factors of {n}.|What is the prime "
            "factorization of {n}?|Break {n} down into prime numbers.|Which primes, multiplied "
            "together, give {n}?)",
            n=number,
        ),
        tuple(steps),
        product,
        say(random, "(So|Therefore|In primes,) {n} = {p}.", n=number, p=product),
        check=say(random, "(Multiply again|Put them together): {p} = {n}.", p=product, n=number),
        wrong=(
            " × ".join(str(prime) for prime in other),
            " × ".join(str(p) for p in [*factors[:-1], factors[-1] + 1]),
            " × ".join(str(prime) for prime in [*factors, 2]),
            f"{factors[0]} × {number // factors[0] + 1}",
        ),
        slip="Every factor must be prime itself; 4, 6 and 9 can be split further.",
    )


def _prime(random: Random, difficulty: int) -> Problem:
    low, high = ((11, 99), (101, 399), (401, 1999))[difficulty - 2]
    number = between(random, low // 2, high // 2) * 2 + 1
    while number % 5 == 0:
        number += 2
    factors = _factors(number)
    root = isqrt(number)
    tests = [prime for prime in PRIMES if prime <= root]
    is_prime = len(factors) == 1
    steps = [
        say(
            random,
            "(It is enough to try primes up to the square root of {n}, because of two factors one "
            "is never larger than that|If {n} had a factor above its square root, the partner "
            "would lie below, so we test only up to {r}): {r} × {r} = {rr} is not above {n}, but "
            "{s} × {s} = {ss} is.",
            n=number,
            r=root,
            rr=root * root,
            s=root + 1,
            ss=(root + 1) ** 2,
        )
    ]
    shown: list[str] = []
    for prime in tests:
        if number % prime == 0:
            break
        shown.append(
            f"{number} = {number // prime} × {prime} + {number % prime}"
            if prime > 2
            else "it is odd, so 2 does not fit"
        )
    if shown:
        steps.append(
            say(
                random,
                "(Test|Try the primes|Go through them) one by one: {all}.",
                all="; ".join(shown),
            )
        )
    if is_prime:
        steps.append(
            say(random, "(No prime fits|There is always a remainder|None of them divides it).")
        )
    else:
        steps.append(f"But {factors[0]} fits: {number} = {factors[0]} × {number // factors[0]}.")
    answer = "yes" if is_prime else "no"
    return Problem(
        say(
            random,
            "(Is {n} a prime number?|Is the number {n} prime?|Decide whether {n} is prime.|Can "
            "{n} be divided evenly by any number other than 1 and itself, or is it prime? Answer "
            "whether it is prime.)",
            n=number,
        ),
        tuple(steps),
        answer,
        say(
            random,
            "(So {n} is prime|{n} has only the divisors 1 and {n}, so it is prime)."
            if is_prime
            else "(So {n} is not prime|{n} has the divisor {f}, so it is a composite number).",
            n=number,
            f=factors[0],
        ),
        wrong=("yes", "no"),
        slip="An odd number need not be prime: 9, 15 and 91 are odd and have divisors.",
    )


def _prime_lesson(random: Random, difficulty: int) -> str:
    return say(
        random,
        "(A prime number has exactly two divisors, 1 and itself|Primes are the numbers that "
        "cannot be laid out in a rectangle of more than one row|Some numbers can be split into "
        "equal groups; those that cannot are called prime). (They are the bricks|Think of them as "
        "the atoms) of the whole numbers: (each number above 1 is a product of primes in just one "
        "way, apart from the order|every other number is built from them by multiplication, and "
        "only in one way). (The number 1 is not prime, because it has a single divisor.|Only one "
        "prime is even, namely 2; all other even numbers have 2 as a divisor.|There is no last "
        "prime: Euclid showed more than two thousand years ago that they never end.)",
    )


TOPICS = (
    taught("numbers/prime factors", "mathematics", (2, 3, 4), _factorization, _prime_lesson),
    taught("numbers/prime numbers", "mathematics", (2, 3, 4), _prime, _prime_lesson),
)
