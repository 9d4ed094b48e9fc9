"""People with people: how somebody feels, why they act, what a kind or fair next step is."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from phinery.data.synthesis.procedural.forms import Problem
from phinery.data.synthesis.procedural.grammar import (
    Person,
    between,
    capitalized,
    chance,
    people,
    phrase,
    pick,
    several,
)
from phinery.data.synthesis.procedural.item import Item
from phinery.data.synthesis.procedural.wording import choice_question, vary


@dataclass(frozen=True)
class Situation:
    """Something between {a} and {b}; all parts are templates."""

    story: str
    kind: str
    """The kind of feeling; words for it, and kinds that do not fit, are below."""
    who: str
    """Whose feeling it is: "a" or "b"."""
    because: str
    """Why, as a clause."""
    good: str
    """What a sensible {doer} does next: a base-form verb phrase."""
    doer: str
    bad: tuple[str, ...]
    """Verb phrases that would make it worse or miss the point."""
    rule: str
    """The general rule, a clause."""


_FEELINGS: dict[str, tuple[str, ...]] = {
    "glad": ("glad", "happy", "pleased", "delighted"),
    "sad": ("sad", "unhappy", "downcast", "miserable"),
    "angry": ("angry", "annoyed", "cross", "indignant"),
    "grateful": ("grateful", "thankful", "touched"),
    "sorry": ("sorry", "ashamed", "full of regret"),
    "afraid": ("afraid", "anxious", "nervous", "frightened"),
    "proud": ("proud", "pleased with the work", "confident"),
    "bored": ("bored", "weary of waiting", "impatient"),
    "lonely": ("lonely", "left out", "all alone"),
    "surprised": ("surprised", "astonished", "amazed"),
    "relieved": ("relieved", "glad that it is over", "at ease again"),
}
_UNLIKE: dict[str, tuple[str, ...]] = {
    "glad": ("sad", "angry", "afraid", "bored", "lonely"),
    "sad": ("glad", "proud", "bored", "grateful", "relieved"),
    "angry": ("glad", "grateful", "proud", "relieved"),
    "grateful": ("angry", "bored", "lonely", "afraid"),
    "sorry": ("proud", "bored", "glad", "grateful"),
    "afraid": ("bored", "proud", "glad", "relieved"),
    "proud": ("sorry", "sad", "lonely", "afraid"),
    "bored": ("afraid", "proud", "grateful", "sorry"),
    "lonely": ("proud", "glad", "grateful", "relieved"),
    "surprised": ("bored", "lonely", "sorry"),
    "relieved": ("angry", "afraid", "bored", "lonely"),
}

SITUATIONS: tuple[Situation, ...] = (
    Situation("{a} (carried|helped to carry) {b.s} heavy bags (up the stairs|home|to the bus), "
        "although {a.he} was in a hurry.", "grateful", "b", "somebody gave up time for {b.him}",
        "thank {a}", "b", ("ask {a} for money", "complain that it took so long",
            "walk away without a word"), "one thanks somebody who helps"),
    Situation("{a} (stumbled|was running) and (knocked over|broke) the (model ship|tower of "
        "blocks|vase) that {b} had worked on (for days|all week).", "sad", "b",
        "{b.his} work was destroyed",
        "say sorry and offer to help to mend it", "a",
            ("laugh about it", "say that {b} is to blame", "hide the pieces and say nothing"),
            "one who does damage should own up and help to put it right"),
    Situation("{a} (promised|gave {a.his} word) to (water {b.s} flowers|feed {b.s} cat|look after "
        "{b.s} rabbits), but went (swimming|to a party) instead and forgot.", "sorry", "a",
        "{a.he} did not keep a promise",
        "admit it, apologise and make up for it", "a",
            ("say that {a.he} never promised anything", "wait and hope that nobody notices",
            "be angry with {b} for asking"),
            "a promise should be kept, and a broken one made good"),
    Situation("{a} had (trained|practised|worked) for months and (won the race|played the piece "
        "without a mistake|passed the examination). {b} had (cheered|helped) all the time.",
        "proud", "a", "long effort led to success",
        "congratulate {a}", "b", ("say that anybody could have done it", "turn away",
            "ask for half of the prize"), "one shares a friend's joy"),
    Situation("it was {a.s} first day at (a new school|a new job|the club), and {a.he} knew "
        "nobody. at lunch {a.he} sat alone. {b} saw it.", "lonely", "a",
        "{a.he} had nobody to talk to",
        "go over and invite {a} to join the others", "b",
            ("point at {a} and whisper", "move farther away", "take {a.s} chair"),
            "one makes newcomers welcome"),
    Situation("{a} and {b} had one (bun|orange|bar of chocolate|pancake) left, and both were "
        "hungry.", "glad", "b", "{b.he} was given a fair part",
        "cut it in two equal parts", "a",
            ("eat it quickly alone", "throw it away so that nobody gets it", "sell it to {b}"),
            "sharing equally is fair when both have the same claim"),
    Situation("{a} told {b} a secret, and {b} told it to (the whole class|all the "
        "neighbours|everybody at work).", "angry", "a", "{b} broke {a.his} trust",
        "apologise and keep such things to {b.himself} from now on", "b",
            ("tell the secret again", "laugh at {a} for trusting {b.him}",
            "say that secrets are silly"), "what is told in trust should not be passed on"),
    Situation("{a} (pushed into the queue|went to the front of the line) ahead of {b}, who had "
        "waited for half an hour.", "angry", "b", "{b.he} was treated unfairly",
        "go to the end of the queue and say sorry", "a",
            ("push someone else as well", "say that waiting is for others",
            "turn {a.his} back on {b}"), "those who came first are served first"),
    Situation("{a} found a (purse|wallet|phone|bunch of keys) on the (bus|pavement|playground) "
        "with {b.s} name on it.", "relieved", "b", "{b.he} got back what {b.he} had lost",
        "bring it back to {b}", "a", ("keep it and say nothing", "drop it where it was in the rain",
            "give it to the first person who asks"),
            "what somebody has lost still belongs to that person"),
    Situation("{a} had (dreamed|heard) of ghosts and had to (fetch something from|go down to) the "
        "dark cellar. {b} noticed that {a.he} hesitated.", "afraid", "a",
        "{a.he} did not know what was in the dark",
        "offer to come along with a light", "b",
            ("switch the light off", "jump out of a corner and shout",
            "call {a} a coward in front of everyone"), "one helps somebody who is frightened"),
    Situation("{a} had been waiting (at the station|in front of the cinema) for {b} for an hour. "
        "{b} had (overslept|forgotten the time) and did not call.", "angry", "a",
        "{a.his} time was not respected",
        "call, say sorry and explain", "b",
            ("not turn up at all", "ask why {a} is so impatient",
            "pretend that they had agreed on a later time"),
            "one lets others know when one is late"),
    Situation("{a.s} (old dog|cat|budgie) died (in spring|last week|after a long illness). {b} "
        "came to visit.", "sad", "a", "{a.he} lost a companion",
        "listen and comfort {a}", "b", ("say that it was only an animal", "tell jokes about it",
            "talk only about {b.his} own holiday"), "one gives comfort to those who mourn"),
    Situation("{a} gave {b} a present that {a.he} had made {a.himself}: a (scarf|drawing|wooden "
        "boat|jar of jam).", "glad", "b", "somebody had taken trouble to please {b.him}",
        "thank {a} and say what is nice about it", "b",
            ("ask what it cost", "put it into the bin in front of {a}",
            "say that a bought one is better"),
            "a present deserves thanks for the thought behind it"),
    Situation("{a} did not understand the (homework|rules of the game|instructions), and the "
        "others had already (begun|gone on). {b} had understood everything.", "lonely", "a",
        "{a.he} could not join in",
        "explain it to {a} once more, slowly", "b",
            ("laugh about the question", "do it all for {a} without a word of explanation",
            "tell {a} to go home"), "one helps others to understand"),
    Situation("{a} (cleaned the whole kitchen|cooked dinner for everybody|set up the tent in the "
        "rain) while {b} sat and read.", "angry", "a", "the work was not shared",
        "do {b.his} share of the work next", "b",
            ("ask for more dessert", "say that the floor is still dirty", "go to sleep"),
            "work that serves all should be shared"),
    Situation("{a} was (ill|in bed with a fever) and could not come to (the trip|the party|the "
        "match). {b} came by with (soup|a card from everyone|some drawings).", "grateful", "a",
        "{b} had thought of {a.him}",
        "thank {b} for coming", "a", ("send {b} away angrily", "ask why {b} came so late",
            "hide under the blanket"), "one thanks for kindness"),
    Situation("everybody had forgotten {a.s} birthday, or so it seemed. then {b} opened the door, "
        "and all the friends were there with a cake.", "surprised", "a",
        "{a.he} had not expected it",
        "thank the friends and share the cake", "a",
            ("send everyone home", "complain about the colour of the cake", "eat the cake alone"),
            "friends are thanked for a kind surprise"),
    Situation("{a} accused {b} of having taken {a.his} pen, and then found the pen in {a.his} own "
        "bag.", "sorry", "a", "{a.he} had blamed somebody wrongly",
        "apologise to {b}", "a", ("hide the pen again", "accuse somebody else",
            "say that {b} must have put it there"), "one takes back a wrong accusation"),
    Situation("{a} borrowed {b.s} (bicycle|umbrella|tent) and (bent|tore|damaged) it (on the "
        "way|by accident).", "sorry", "a",
        "{a.he} had harmed something that was lent in good faith",
        "tell {b} and pay for the repair", "a",
            ("give it back at night without a word", "say that it was old anyway", "keep it"),
            "one returns borrowed things in good order"),
    Situation("{a} and {b} both wanted to sit at the window (on the train|on the bus|in the boat) "
        "for the whole (long ride|trip).", "glad", "b", "{b.he} got a fair turn",
        "agree to change places halfway", "a",
            ("push {b} off the seat", "argue until the journey is over",
            "say that younger people never get the window"), "taking turns is fair"),
    Situation("{a} had to speak in front of (two hundred people|the whole school|the town council) "
        "for the first time. {b} sat next to {a.him}, and {a.his} hands were shaking.", "afraid",
        "a", "{a.he} feared to make mistakes in front of everyone",
        "encourage {a} with a few calm words", "b",
            ("count {a.s} mistakes aloud", "say that the hall is full of critics",
            "leave the room"), "one gives courage to somebody who is nervous"),
    Situation("{a} (taught|showed) {b} how to (ride a bicycle|play the flute|juggle) every "
        "(evening|Saturday) for a month, and at last {b} could do it.", "proud", "b",
        "practice had paid off",
        "thank {a} for all the patience", "b",
            ("say that it would have gone faster alone", "stop greeting {a}",
            "ask for the time back"), "one gives credit to those who taught one"),
    Situation("{a} saw that {b} was about to (step on a rake|drink from the wrong glass|sit down "
        "on wet paint).", "relieved", "b", "harm was prevented",
        "warn {b} at once", "a", ("watch and say nothing", "take a photograph",
            "warn {b} the next day"), "one warns others of danger"),
    Situation("{a} was reading in the library, and {b} (talked loudly on the phone|played music "
        "without headphones).", "angry", "a", "{a.he} could not read in peace",
        "go outside to talk or be quiet", "b",
            ("speak even louder", "ask {a} to read somewhere else", "close {a.s} book"),
            "in shared rooms one is considerate"),
)  # fmt: skip


class Scene:
    """A situation with two people in it."""

    def __init__(self, random: Random, situation: Situation) -> None:
        self.situation = situation
        self.people: dict[str, Person] = dict(zip("ab", people(random, 2), strict=True))
        self._random = random
        self.story = vary(random, situation.story, **self.people)
        self.feeling = pick(random, _FEELINGS[situation.kind])
        self.who = self.people[situation.who]
        self.doer = self.people[situation.doer]
        self.because = self.part(situation.because)
        self.good = self.part(situation.good)

    def part(self, template: str) -> str:
        """A clause of the situation."""
        return phrase(self._random, template, **self.people)

    def felt_story(self) -> str:
        """The story up to where the feeling arises, which may come of the good deed itself."""
        deed_first = self.who is not self.doer and self.situation.kind in {"glad", "relieved"}
        return f"{self.story} {self.doer} decided to {self.good}." if deed_first else self.story

    def other_feelings(self) -> list[str]:
        """Words for feelings that do not fit."""
        return [pick(self._random, _FEELINGS[kind]) for kind in _UNLIKE[self.situation.kind]]


def feeling_problem(random: Random, difficulty: int) -> Problem:
    """How somebody feels in a situation."""
    scene = Scene(random, pick(random, SITUATIONS))
    return Problem(
        vary(random, "{story} how (does|will|would) {who} (most likely |)feel(| about it| in the "
            "end)?", story=scene.felt_story(), who=scene.who),
        (vary(random, "(put yourself in {who.s} place|think of it from {who.s} side|imagine being "
            "{who}): {because}.", who=scene.who, because=scene.because),
         vary(random, "(and|remember that) {rule}.", rule=scene.situation.rule))[
             : 1 + (difficulty > 1)],
        scene.feeling,
        vary(random, "(so|therefore) {who} (is|feels) {feeling}(, because {because}|).",
            who=scene.who, feeling=scene.feeling, because=scene.because),
        wrong=tuple(scene.other_feelings()),
    )  # fmt: skip


def action_problem(random: Random, difficulty: int) -> Problem:
    """What a considerate person does next."""
    scene = Scene(random, pick(random, SITUATIONS))
    bad = [scene.part(template) for template in scene.situation.bad]
    return Problem(
        vary(random, "{story} what (should {doer} do (now|next)|would be the right thing for "
            "{doer} to do|is the best that {doer} can do)?", story=scene.story, doer=scene.doer),
        (vary(random, "(the rule is simple|what helps here is a rule|most people agree on this): "
            "{rule}.", rule=scene.situation.rule),
         vary(random, "to {bad} would (only make it worse|be unkind|help nobody).",
             bad=pick(random, bad)))[: 1 + (difficulty > 1)],
        capitalized(scene.good),
        vary(random, "(so|therefore) {doer} should {good}.", doer=scene.doer, good=scene.good),
        wrong=tuple(capitalized(text) for text in bad),
    )  # fmt: skip


def social_story(random: Random, difficulty: int) -> Item:
    """A situation told to its end, with what the people felt and why."""
    scene = Scene(random, pick(random, SITUATIONS))
    opening = vary(
        random,
        "((this happened|here is what happened|something small but important happened|I heard of "
        "this) ((one|this) (morning|afternoon|evening)|on (Monday|Tuesday|Friday|Saturday)|last "
        "(week|month|winter)|not long ago|a year ago).|)",
    )
    parts = [f"{opening} {scene.story}".strip()]
    middle = [
        vary(random, "(how did {who} feel?|what did {who} feel?|one could see it in {who.s} face.) "
            "{who.he} was {feeling}, because {because}.", who=scene.who, feeling=scene.feeling,
            because=scene.because),
        vary(random, "{doer} (thought about it|took a moment to think|remembered what {doer.his} "
            "(mother|teacher|grandfather|sister) had (once |)said): {rule}.", doer=scene.doer,
            rule=scene.situation.rule),
    ]  # fmt: skip
    felt_late = [middle.pop(0)] if scene.felt_story() != scene.story else []
    if chance(random, 0.4):
        middle.reverse()
    parts += middle
    if chance(random, 0.5):
        bad = scene.part(pick(random, scene.situation.bad))
        parts.append(
            vary(
                random,
                "(it would have been easy|it was tempting|somebody else might have chosen) to "
                "{bad}, (but that would have helped nobody.|but then the day would have ended "
                "badly.|but what good would that have done?|but {doer.he} did not do it.)",
                bad=bad,
                doer=scene.doer,
            )
        )
    parts.append(
        vary(
            random,
            "(in the end|so|finally) {doer} decided to {good}, and (that was the right thing|both "
            "were glad of it|things were well between them again).",
            doer=scene.doer,
            good=scene.good,
        )
    )
    parts += felt_late
    moral = vary(
        random,
        "(what can we learn?|the lesson:|it is worth remembering that|keep in mind that) {rule}.",
        rule=scene.situation.rule,
    )
    if chance(random, 0.5):
        parts.append(moral)
    asked = (
        choice_question(random, f"{scene.felt_story()} How does {scene.who} most likely feel?",
            scene.feeling, scene.other_feelings()),
        choice_question(random, f"{scene.story} What should {scene.doer} do?",
            capitalized(scene.good), [capitalized(scene.part(bad)) for bad in scene.situation.bad]),
    )  # fmt: skip
    joint = "\n\n" if between(random, 0, 2) == 0 else " "
    return Item("passage", joint.join(parts), asked)


def manners(random: Random, difficulty: int) -> str:
    """Rules of living together, as a paragraph."""
    chosen = several(random, SITUATIONS, 2)
    rules = [situation.rule for situation in chosen]
    return vary(
        random, "(living together is easier with a few rules|people who live together need some "
            "rules|some rules are so old that nobody knows who made them). (one says that|for "
            "example,) {one}. (another is that|also,) {two}. (nobody checks whether we keep "
            "them|they are not written anywhere), (but everyone is better off when we do|and yet "
            "we notice at once when somebody breaks them).",
        one=rules[0], two=rules[1],
    )  # fmt: skip
