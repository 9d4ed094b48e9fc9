"""Things that are done in steps, what each step is for, and what happens without it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from phinery.data.synthesis.procedural.forms import Problem
from phinery.data.synthesis.procedural.grammar import (
    between,
    capitalized,
    listed,
    ordinal_words,
    people,
    pick,
    several,
    shuffled,
)
from phinery.data.synthesis.procedural.item import Item
from phinery.data.synthesis.procedural.wording import choice_question, vary


@dataclass(frozen=True)
class Routine:
    """A goal and its steps in the order in which they must be done.

    A step is "base form | what goes wrong without it"; the second part is a clause.
    """

    goal: str
    steps: tuple[tuple[str, str], ...]


def _routines(table: str) -> tuple[Routine, ...]:
    made: list[Routine] = []
    for block in table.strip().split("\n\n"):
        goal, *lines = (line.strip() for line in block.splitlines())
        pairs = [line.split(" | ") for line in lines]
        made.append(Routine(goal, tuple((pair[0], pair[1]) for pair in pairs)))
    return tuple(made)


ROUTINES: tuple[Routine, ...] = _routines("""
make tea
fill the kettle | there is no water to boil
bring the water to the boil | the tea stays weak and lukewarm
pour the water over the tea leaves | the leaves stay dry and the cup empty
wait a few minutes | the tea has hardly any taste
take out the leaves | the tea becomes bitter
drink the tea in small sips | the tea gets cold and is wasted

post a letter
write the letter | the envelope stays empty
fold it and put it into an envelope | it can be read and lost on the way
write the address on the envelope | nobody knows where to bring it
stick a stamp on it | the post will not carry it
drop it into the letter box | it stays at home

plant a tree
dig a deep hole | the roots have no room
set the roots into the hole | the tree has no hold
fill the hole with earth | the roots dry out
tread the earth down | the wind shakes the tree loose
water the tree well | the roots stay dry
tie the trunk to a stake | the first storm may bend it

wash the dishes
scrape the leftovers off the plates | the water is soon full of scraps
run hot water into the sink | the grease does not come off
add a little soap | the grease sticks to the plates
scrub the plates with a brush | the dirt stays on
rinse off the suds | the plates taste of soap
dry the plates with a towel | they drip in the cupboard
put them away | the table stays crowded

bake bread
weigh the flour | the dough is too dry or too wet
mix flour, water, yeast and salt | there is no dough
knead the dough | the bread becomes crumbly
let the dough rise | the bread stays flat and hard
shape a loaf | it bakes into a lump without form
bake it in a hot oven | it remains raw
let it cool | it squashes when it is cut

mend a flat bicycle tyre
take the wheel off | the tube cannot be reached
pull out the inner tube | the hole stays hidden
find the hole with the help of water | one does not know where to put the patch
roughen the rubber around the hole | the patch peels off
stick a patch on the hole | the air leaks out again
put the tube and the wheel back | there is nothing to ride on
pump up the tyre | the wheel runs on its rim

paint a wall
cover the floor with sheets | drops of paint spoil the floor
fill the holes in the wall | they show through the paint
sand the wall smooth | the paint looks rough
stir the paint | its colour is uneven
roll on a first coat | the wall stays as it was
let it dry | the second coat smears the first
roll on a second coat | the old colour shines through

wash clothes
sort the clothes by colour | the white ones take on the colour of the others
empty the pockets | a paper handkerchief covers everything in fluff
load the machine | the drum turns empty
add washing powder | the stains remain
start the machine | nothing gets wet
hang up the wet clothes | they begin to smell
fold the dry clothes | they are full of creases

cross a street
stop at the kerb | one walks in front of a car
look both ways | one does not see what is coming
wait until the road is clear | a car has to brake hard
walk straight across | one is on the road for longer than needed

sow carrots
loosen the soil | the roots grow crooked
draw a shallow furrow | the seeds lie on top and birds eat them
lay the seeds in the furrow | nothing can grow
cover them with soil | they dry out or are eaten
water the row | they do not sprout
thin out the seedlings | they crowd each other and stay small
pull up the grown carrots | they become woody in the ground

take a photograph of a bird
choose a hiding place | the bird sees you and flies off
set up the camera | the picture is shaken
wait quietly | the bird does not come
focus on the bird | the picture is blurred
press the button | there is no picture

send a parcel
choose a box of the right size | the things do not fit or slide about
wrap fragile things in paper | they break on the way
put everything into the box | the box travels empty
close the box with tape | it opens on the way
write the address on it | it cannot be delivered
take it to the post office | it never leaves

build a campfire
clear the ground of dry leaves | the fire can spread
lay a ring of stones | the fire is not kept in its place
put dry twigs in the middle | thick logs do not catch
light the twigs | it stays dark and cold
add thicker wood | the fire soon dies
pour water over the embers at the end | the wind may carry sparks away

make an omelette
crack the eggs into a bowl | the shells stay closed
beat the eggs with salt | white and yolk stay apart
heat butter in a pan | the eggs stick to the pan
pour the eggs into the pan | there is nothing to cook
wait until the eggs are firm | it runs off the plate
fold it and serve it | it gets cold in the pan

borrow a book from a library
get a library card | the library does not know who you are
look up the book in the catalogue | you search the shelves in vain
fetch the book from its shelf | you go home without it
show the book and the card at the desk | the loan is not noted down
read the book | you do not learn how it ends
bring it back in time | others wait for it and you may pay a fine

clean a fish tank
unplug the pump | water and electricity come together
move the fish into a bucket of tank water | they are frightened or hurt
take out part of the old water | the tank overflows
wipe the glass | one cannot see in
pour in fresh water of the same warmth | the tank is half empty
put the fish back | they stay in the narrow bucket

sew on a button
find thread of the right colour | the repair catches the eye
thread the needle | the thread cannot be drawn through the cloth
knot the end of the thread | it slips out of the cloth
sew through the holes several times | the button hangs loose
wind the thread under the button | the button lies too tight
cut off the rest of the thread | a long end dangles

clean a graze
wash your hands | dirt gets into the wound
rinse the graze with clean water | sand stays in it
dab the skin around it dry | the plaster does not stick
cover it with a plaster | it is rubbed and gets dirty

make pancakes
mix flour, milk and eggs | there is no batter
let the batter rest | it is lumpy
heat a little oil in the pan | the batter sticks
pour in a ladle of batter | the pan stays empty
turn the pancake when the lower side is brown | one side burns and the other stays pale
slide it onto a plate | it burns

go on a trip by train
look up the timetable | you do not know when to leave
pack a bag | you miss what you need
buy a ticket | you may not travel
find the right platform | you board the wrong train
get on the train | it leaves without you
get off at your station | you are carried too far

hang a picture
choose the place | it hangs where nobody sees it
mark the spot with a pencil | the nail ends up too high or too low
hammer a nail into the wall | there is nothing to hang it on
hang the picture on the nail | the wall stays bare
set it straight | it hangs at a slant

make a snowman
wait for wet snow | the snow does not stick together
roll a big ball | there is no base
roll a smaller ball and set it on top | he has no body
add a head | he cannot look at anybody
give him eyes and a nose | he has no face

brush your teeth
wet the brush | the bristles are hard
put a little toothpaste on it | the teeth do not get really clean
brush all sides of the teeth | bits of food stay behind
spit out the foam | you swallow it
rinse the brush | old paste dries on it

vote in a class election
collect the names of those who stand | there is nobody to choose from
hand out slips of paper | nobody can vote
write one name on each slip | the slips are worthless
put the slips into a box | others can see who voted for whom
count the votes | nobody knows who has won
announce the result | the class remains in doubt

repot a plant
choose a larger pot | the roots are as cramped as before
put a stone over the hole | the soil trickles out
lift the plant out of the old pot | it cannot move house
set it into the new pot | its roots dry in the air
fill up with fresh soil | it wobbles and has no food
water it | the roots do not settle
""")


def order_problem(random: Random, difficulty: int) -> Problem:
    """What comes next, first, last or before, in something done in steps."""
    routine = pick(random, ROUTINES)
    names = [step for step, _ in routine.steps]
    place = between(random, 1, len(names) - 1)
    person = people(random, 1)[0]
    ahead = pick(random, (True, False)) if place < len(names) - 1 else True
    given, answer = (names[place - 1], names[place]) if ahead else (names[place], names[place - 1])
    wrong = [name for name in names if name not in (given, answer)]
    if ahead:
        ask = vary(
            random,
            "{p} wants to {goal} and is (about to finish|just finishing) this step: {given}. (what "
            "comes next?|what is the next step?|what should {p.he} do now?)",
            p=person,
            goal=routine.goal,
            given=given,
        )
    else:
        ask = vary(
            random,
            "{p} wants to {goal}. (which step must come right before this one|what has to be done "
            "directly before this|what is the step just before): {given}?",
            p=person,
            goal=routine.goal,
            given=given,
        )
    reason = next(loss for name, loss in routine.steps if name == answer)
    shown = names if difficulty > 1 else names[max(0, place - 2) : place + 2]
    return Problem(
        ask,
        (vary(random, "(the order is|one goes about it like this|in order, the steps are|it goes "
            "like this): {steps}.", steps=listed(shown, "and then")),
         vary(random, "without the step \"{step}\", {loss}.", step=answer, loss=reason)),
        capitalized(answer),
        vary(random, "(so the step that is asked for is|the answer is): {step}.", step=answer),
        wrong=tuple(capitalized(name) for name in wrong),
    )  # fmt: skip


def omission_problem(random: Random, difficulty: int) -> Problem:
    """What goes wrong when a step is left out."""
    routine = pick(random, ROUTINES)
    place = between(random, 0, len(routine.steps) - 1)
    name, loss = routine.steps[place]
    person = people(random, 1)[0]
    wrong = [other for step, other in routine.steps if step != name]
    return Problem(
        vary(random, "{p} (is going to|wants to|sets out to) {goal}, but (leaves "
            "out|forgets|skips) one step: \"{name}\". (what goes wrong?|what will be the "
            "trouble?|what is likely to happen?)", p=person, goal=routine.goal, name=name),
        (vary(random, "(each step is there for a reason|ask what the step is for|think of what the "
            "step does).", ),
         vary(random, "\"{name}\" is the {nth} of {count} steps(, {beside}|).", name=name,
             nth=ordinal_words(place + 1), count=len(routine.steps),
              beside=f'right after "{routine.steps[place - 1][0]}"' if place
                  else f'and "{routine.steps[1][0]}" comes after it'))[difficulty > 3 :],
        capitalized(loss),
        vary(random, "(without it|if it is left out|when it is skipped), {loss}.", loss=loss),
        wrong=tuple(capitalized(text) for text in wrong),
    )  # fmt: skip


def instructions(random: Random, difficulty: int) -> Item:
    """How to do something: the steps with their reasons, as a text of its own."""
    routine = pick(random, ROUTINES)
    count = len(routine.steps)
    names = [step for step, _ in routine.steps]
    person = people(random, 1)[0]
    form = between(random, 0, 2)
    title = vary(
        random,
        "(how to {goal}|learning to {goal}|{p.s} way to {goal}|to {goal}, step by step)",
        goal=routine.goal,
        p=person,
    )
    if form == 0:
        lines = [
            f"{number}. "
            + vary(
                random,
                "{step}. (if you (don't|leave this out), {loss}.|otherwise {loss}.|(this "
                "matters|do not skip this): without it {loss}.|)",
                step=step,
                loss=loss,
            )
            for number, (step, loss) in enumerate(routine.steps, 1)
        ]
        body = "\n".join(lines)
    elif form == 1:
        words = shuffled(
            random,
            ("then", "next", "after that", "now", "the next thing is to", "when that is done,"),
        )
        lines = [
            vary(random, "(begin like this|first of all|to start with): {step}.", step=names[0])
        ]
        for place, (step, loss) in enumerate(routine.steps[1:]):
            lead = words[place % len(words)]
            lines.append(
                vary(
                    random,
                    "{lead} {step}(, or {loss}|, since otherwise {loss}||).",
                    lead=lead,
                    step=step,
                    loss=loss,
                )
            )
        body = " ".join(lines)
    else:
        lines = [
            vary(
                random,
                '("what do I do first?" asked {p}. "{step}," said {p.his} '
                '(aunt|uncle|grandfather|neighbour|sister).|"where do I begin?" {p} wanted to '
                'know. "{step}," was the answer.)',
                p=person,
                step=names[0],
            )
        ]
        for step, loss in routine.steps[1:]:
            lines.append(
                vary(
                    random,
                    '"(and then|what next|now what|and after that)?" "{step}."( "why?" "because '
                    'otherwise {loss}."|)',
                    step=capitalized(step),
                    loss=loss,
                )
            )
        body = " ".join(lines)
    place = between(random, 0, count - 2)
    asked = choice_question(
        random,
        vary(
            random,
            'what comes right after the step "{step}" when you {goal}?',
            step=names[place],
            goal=routine.goal,
        ),
        capitalized(names[place + 1]),
        [capitalized(name) for name in several(random, names, count) if name != names[place]],
    )
    return Item("lesson", f"{title}\n\n{body}", (asked,))


def routine_lesson(random: Random, difficulty: int) -> str:
    """A routine in a paragraph."""
    routine = pick(random, ROUTINES)
    return vary(
        random,
        "(order matters|many things succeed only in the right order|some steps have to wait for "
        "others). to {goal}, one has to {steps}.",
        goal=routine.goal,
        steps=listed([name for name, _ in routine.steps], "and finally"),
    )
