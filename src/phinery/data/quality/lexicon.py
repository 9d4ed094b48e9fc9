"""Words and signs that tell how a text speaks: what teaching, telling, chatting and selling use."""

from __future__ import annotations


def _listed(words: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in words.split(","))


PHRASES: dict[str, tuple[str, ...]] = {
    "I": _listed("i, me, my, mine, myself"),
    "we": _listed("we, us, our, ours"),
    "you": _listed("you, your, yours, yourself"),
    "he or she": _listed("he, she, him, her, his, hers, himself, herself"),
    "they": _listed("they, them, their, theirs"),
    "it": _listed("it, its, itself"),
    "article": _listed("the, a, an"),
    "this": _listed("this, that, these, those, such"),
    "preposition": _listed("of, in, by, with, from, between, into, through, during, within, among"),
    "to or for": _listed("to, for, on, at"),
    "and or or": _listed("and, or"),
    "being": _listed("is, are, was, were, be, been, being"),
    "present is": _listed("is, are"),
    "past was": _listed("was, were, had, did"),
    "having": _listed("have, has, having"),
    "modal": _listed("would, could, should, might, may, must"),
    "can": _listed("can, cannot, can be, able"),
    "will": _listed("will, shall, going to"),
    "negation": _listed(
        "not, no, never, none, neither, nor, nothing, don, doesn, didn, isn, can t"
    ),
    "contraction": _listed("t, s, ll, ve, re, d, m"),
    "question": _listed("what, why, how, which, who, when, where"),
    "cause": _listed(
        "because, therefore, thus, hence, since, so that, due to, result of, as a, results in, "
        "leads to, causes, caused, cause, effect, effects, consequently, reason, why, in order, "
        "the reason, this means"
    ),
    "contrast": _listed(
        "however, although, though, whereas, unlike, instead, rather, while, contrast, "
        "in contrast, "
        "on the, but, yet, despite"
    ),
    "definition": _listed(
        "is called, are called, called the, called a, known as, is defined, defined as, refers to, "
        "is a, are a, means that, term, is the, is an, definition, referred to, defined, denoted, "
        "called, consists of, consist of, is known"
    ),
    "example": _listed(
        "for example, example, examples, for instance, such as, e g, suppose, consider, imagine, "
        "let s, instance, illustrates, shown in, as shown"
    ),
    "steps": _listed(
        "first, second, third, next, then, finally, step, steps, begin, last, following, follow"
    ),
    "instruction": _listed(
        "find, solve, calculate, determine, write, note, use, make, add, multiply, divide, "
        "subtract, simplify, graph, describe, explain, compare, identify, evaluate, choose, draw, "
        "list, define, recall, notice, remember, substitute, check, look at, try"
    ),
    "exercise": _listed(
        "problem, solution, answer, exercise, exercises, question, questions, try it, key, "
        "review questions, glossary, objectives, learning objectives, will be, you will, "
        "check your, critical thinking, summary, how to"
    ),
    "mathematics": _listed(
        "equation, equations, function, functions, number, numbers, graph, value, "
        "values, variable, "
        "sum, product, equal, equals, zero, positive, negative, formula, x, y, n, angle, "
        "probability, mean, vector, matrix, line, slope, square, root, area, rate, degree"
    ),
    "science": _listed(
        "energy, force, mass, cell, cells, water, heat, light, temperature, molecules, "
        "atoms, atom, "
        "electron, electrons, reaction, acid, protein, proteins, dna, gene, species, organism, "
        "bacteria, blood, body, tissue, bone, muscle, velocity, acceleration, pressure, gas, "
        "chemical, earth, sun, star, stars, planet, wave, waves, electric, magnetic, charge"
    ),
    "society": _listed(
        "government, political, economic, social, society, culture, war, century, state, states, "
        "rights, law, power, economy, market, price, demand, supply, income, population, history, "
        "empire, religious, movement, colonial, women, groups, theory, research, behavior"
    ),
    "computing": _listed(
        "code, function, string, data, type, class, method, module, file, files, object, python, "
        "server, program, library, api, user, users, version, support, interface, algorithm, "
        "parameter, model, training, network, neural, layer, tensor, loop, array"
    ),
    "practice": _listed(
        "coffee, beer, wine, beans, roast, brew, brewing, grind, espresso, cup, taste, flavor, "
        "alcohol, sugar, milk, drink, yeast, glass, bottle, caffeine"
    ),
    "announcing": _listed(
        "webinar, register, join, event, events, webinars, workshop, training, registration, "
        "presented, hosted, speakers, learn more, more information, sign up, community, team, "
        "agency, agencies, federal, gov, digital, blog, post, posted, update, news, "
        "contact, email, "
        "newsletter, check out"
    ),
    "licensing": _listed(
        "copyright, license, licensed, permission, reserved, terms, attribution, credit, public "
        "domain, modification of, source, accessed, retrieved, journal of, press, vol, pp, ed, "
        "et al, eds, isbn, doi"
    ),
    "correspondence": _listed(
        "wrote, writes, article, subject, re, example org, org, edu, com, net, mail, thanks, "
        "please, hi, hello, anyone, posting, advance, regards, cheers, newsgroup, phone, fax, inc"
    ),
    "opinion": _listed(
        "think, believe, guess, feel, know, opinion, imho, i think, i don, i m, just, really, "
        "actually, maybe, probably, well, oh, yeah, sure, stupid, idiot, hell, crap, god, say, said"
    ),
    "selling": _listed(
        "sale, offer, shipping, sell, price, buy, asking, condition, interested, best offer, "
        "new, used, free, cost, dollars"
    ),
    "forum": _listed(
        "score, comments, comment, answers, answer score, edit, link, stack, site, tag, tags, "
        "duplicate, meta, closed, vote, close, op, community"
    ),
    "time": _listed(
        "january, february, march, april, may, june, july, august, september, october, november, "
        "december, monday, tuesday, wednesday, thursday, friday, saturday, sunday, am, pm, est, et"
    ),
    "generality": _listed(
        "many, most, some, often, usually, generally, typically, commonly, always, all, "
        "each, every, "
        "any, several, both, different, other, various, common, important"
    ),
    "comparison": _listed(
        "more, less, than, larger, smaller, greater, higher, lower, same, similar, most, "
        "least, like"
    ),
    "structure": _listed(
        "figure, table, chapter, section, below, above, here, page, see, also, link to, following"
    ),
    "thinking": _listed(
        "understand, understanding, concept, concepts, idea, principle, process, system, "
        "structure, "
        "relationship, property, properties, model, method, approach, explain, explains, "
        "explained, known, study, learn, learning, students, introduction"
    ),
    "speech": _listed(
        "nation, america, american, people, congress, world, peace, freedom, must, "
        "let us, country, "
        "americans, tonight, great, god, president"
    ),
    "encyclopaedia": _listed(
        "unk, born, film, album, song, season, released, team, game, series, episode, band, "
        "played, career, league, his, highway, ship, battle, was the, storm"
    ),
    "German": _listed("der, die, und, das, ist, nicht, mit, den, von, zu, ein, eine, auf, im"),
    "Romance": _listed("de, la, el, les, des, et, en, que, los, del, le, un, une, para, du"),
}
"""Kind -> words, and pairs of words, that count for it. A phrase may serve two kinds."""

PAIRS: tuple[bytes, ...] = (
    b"](", b"{{", b"::", b"..", b"()", b"> ", b">>", b"\n\n", b"==", b"**", b"* ", b"</", b"= ",
    b"^{", b"_{", b" (", b"?\n", b":\n", b"!\n", b": ", b"; ", b"--", b"~~", b". ", b", ", b".\n",
    b"\n#", b"\n-", b"\n>", b"\t\t", b"  ", b"[1", b"(1", b"1.", b"2.", b"a)", b"b)", b"|-", b"$$",
)  # fmt: skip
"""Two signs in a row that are counted."""

QUADS: tuple[bytes, ...] = (
    b"http", b"www.", b"e.g.", b"i.e.", b"Prob", b"Solu", b"Figu", b"Tabl", b"Exam", b"Answ",
    b"\n   ", b"\n\n# ", b"\n\n##", b"\n\n  ", b"\n\n- ", b"\n\n* ", b"----", b"====",
    b"<unk", b"<a h",
    b"titl", b"date", b"PEP ", b"(cre", b"Glos", b"Subj", b"(sco", b"Comm", b"Note", b"Step",
    b"Try ",
    b"```p", b"def ", b">>> ", b".org", b".com", b".gov", b"Key ", b"Revi", b"Chap", b"Lear",
    b" = (",
)  # fmt: skip
"""Four bytes in a row that are counted; most begin a word that tells the kind of text."""
