"""Examples as a page and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from phinery.evaluate.examples.examples import Answer, Answers, Prompt
from phinery.evaluate.table.markdown import plain
from phinery.evaluate.table.page import document

_STYLE = """
body.evaluation main { max-width: 1080px; }
.prompt { border-top: 1px solid var(--line); margin-top: 36px; padding-top: 4px; }
.prompt pre { background: var(--code); }
pre { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  border-radius: 8px; padding: 12px 14px; margin: 8px 0; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 0 18px; }
.side { min-width: 0; } .side h4 { margin: 12px 0 2px; font-size: 15px; overflow-wrap: anywhere; }
.side.ours0 h4 { color: var(--ours0); } .side.ours1 h4 { color: var(--ours1); }
.side.ours2 h4 { color: var(--ours2); } .side.ours3 h4 { color: var(--ours3); }
.side pre { background: var(--card); border: 1px solid var(--line);
  border-left: 3px solid var(--tone); }
.kind { color: var(--soft); font-size: 12.5px; margin: 10px 0 -4px; }
nav { columns: 2 260px; font-size: 14.5px; margin: 18px 0; } nav a { display: block; }
"""

Setting = Mapping[str, Any]
Found = Mapping[str, Sequence[Answers]]


def render_html(asked: Sequence[Prompt], answers: Found, setting: Setting) -> str:
    """The page: each prompt, below it the models side by side."""
    links = "".join(
        f'<a href="#prompt{place}">{escape(prompt.name)}</a>' for place, prompt in enumerate(asked)
    )
    blocks = [
        f'<p class="quiet">{escape(_told(answers, setting))}</p><nav>{links}</nav>',
        *(_block(place, prompt, answers) for place, prompt in enumerate(asked)),
    ]
    return document("Example answers", "\n".join(blocks), more_style=_STYLE)


def _block(place: int, prompt: Prompt, answers: Found) -> str:
    sides = "".join(
        f'<div class="side ours{number % 4}"><h4>{escape(name)}</h4>'
        + "".join(
            f'<p class="kind">{escape(kind)}</p><pre>\n{escape(text)}</pre>'
            for kind, text in _texts(found[place])
        )
        + "</div>"
        for number, (name, found) in enumerate(answers.items())
    )
    return (
        f'<section class="prompt" id="prompt{place}"><h2>{escape(prompt.name)}</h2>'
        f'<p class="note">{escape(prompt.topic)}, {prompt.form}</p>'
        f"<pre>\n{escape(prompt.full)}</pre>"
        f'<p class="note"><b>A good answer:</b> {escape(prompt.good)}</p>'
        f'<div class="sides">{sides}</div></section>'
    )


def render_markdown(asked: Sequence[Prompt], answers: Found, setting: Setting) -> str:
    """The same as Markdown, the models one after the other."""
    blocks = ["# Example answers", plain(_told(answers, setting))]
    for place, prompt in enumerate(asked):
        blocks += [
            f"## {plain(prompt.name)}",
            f"{plain(prompt.topic)}, {prompt.form}",
            _fenced(prompt.full),
            f"A good answer: {plain(prompt.good)}",
        ]
        for name, found in answers.items():
            blocks.append(f"### {plain(name)}")
            for kind, text in _texts(found[place]):
                blocks += [f"{plain(kind)}:", _fenced(text)]
    return "\n\n".join(blocks) + "\n"


def _told(answers: Found, setting: Setting) -> str:
    return (
        f"{' and '.join(answers)}: the likeliest answer, then two that are sampled with "
        f"temperature {setting['temperature']} and top_p {setting['top_p']}, seed "
        f"{setting['seed']}; at most {setting['max_tokens']} tokens each. Nothing is scored."
    )


def _texts(found: Answers) -> list[tuple[str, str]]:
    """(what it is, text) of every answer."""
    if found.greedy is None:
        return [("no answer", found.reason)]
    sampled = [(f"sampled {n}", one) for n, one in enumerate(found.sampled, start=1)]
    return [(_kind(kind, one), one.text) for kind, one in [("greedy", found.greedy), *sampled]]


def _kind(kind: str, answer: Answer) -> str:
    end = {"length": ", cut at the limit"}.get(answer.finish_reason, "")
    return f"{kind}{end}" if answer.text.strip() else f"{kind}, empty{end}"


def _fenced(text: str) -> str:
    """Text in a fence that is longer than any in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
