"""The `phinery` command: parses, calls, prints.

Exit status: 0 when all went well, 1 when something failed on the way, 2 when what was asked for is
wrong, 130 after Ctrl-C and 143 after SIGTERM. An error is one line that says how to mend it;
PHINERY_DEBUG=1 shows the traceback instead. Heavy modules are imported by the verbs that use them.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from phinery import __version__
from phinery.cli import bench, data, evaluate, export, grow
from phinery.cli.errors import UsageError

if TYPE_CHECKING:
    from phinery.infer import Engine, SamplingParams
    from phinery.recipe import Recipe

_RUN_HELP = """\
Carry out a recipe: text in, a trained model and a report out.

RECIPE is the name of a shipped recipe (nano, micro, phi-1, phi-1.5, phi-2), the path of a TOML
file, or a run directory. Stages whose settings, inputs and code did not change are kept, and an
interrupted training goes on from its last checkpoint: when in doubt, run it again.

examples:
  phinery run                                    the nano recipe, a few minutes on two CPU cores
  phinery run nano --set corpus.path=~/Documents --out runs/mine
                                                 the same on your own .txt, .md, .py, .jsonl, ...
  phinery run nano --set pretrain.tokens=20M --set pretrain.learning_rate=2e-3
  phinery run nano --show                        every setting, and where its value comes from
  phinery run my.toml --only shards              stop when the token shards are made
"""
_TOKENIZE_HELP = """\
Make a recipe's token shards: corpus, tokenizer and shards, and nothing after them.
The same as `phinery run RECIPE --only shards`.

examples:
  phinery tokenize
  phinery tokenize nano --set corpus.path=FOLDER --set tokenizer.vocab_size=8192 --out runs/mine
"""
_PRETRAIN_HELP = """\
Train a recipe's model, after the stages that training needs, and nothing after it.
The same as `phinery run RECIPE --only pretrain`; what exists already is kept.

examples:
  phinery pretrain
  phinery pretrain micro --set pretrain.tokens=10M
"""
_GENERATE_HELP = """\
Continue a text. Prints the prompt and, as it comes, its continuation.

MODEL is a model folder (ours or any Hugging Face Phi), a run directory, or a hub id such as
microsoft/phi-2. PROMPT may be - to read standard input.

examples:
  phinery generate runs/nano/model "def"
  phinery generate runs/nano "import" --temperature 0 --max-tokens 40
  phinery generate runs/nano/model "class Queue:" --stop "class " --seed 7
  cat draft.txt | phinery generate microsoft/phi-2 -
"""
_CHAT_HELP = """\
Talk with a model. A model that was never tuned to answer simply goes on with your text.

MODEL is a model folder (ours or any Hugging Face Phi), a run directory, or a hub id.
Ctrl-C cuts an answer short, Ctrl-D ends the talk, /new forgets what was said.

examples:
  phinery chat runs/nano/model
  phinery chat microsoft/phi-2 --temperature 0.3 --max-tokens 400
"""


class _Terminated(KeyboardInterrupt):
    """SIGTERM, raised where Ctrl-C would be, so that both end a run in the same careful way."""

    signal = signal.SIGTERM


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    debug = bool(os.environ.get("PHINERY_DEBUG"))
    try:
        with _sigterm_raises():
            return arguments.action(arguments)
    except KeyboardInterrupt as error:
        print(f"\n{_how_to_go_on(arguments)}", file=sys.stderr)
        # Training catches signals itself, to save first; its exception says which one it was.
        terminated = getattr(error, "signal", signal.SIGINT) is signal.SIGTERM
        return 143 if terminated else 130
    except BrokenPipeError:
        # Whoever read our output has left; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError) as error:
        if debug:
            raise
        print(f"phinery {arguments.verb}: {_one_line(error)}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _sigterm_raises() -> Generator[None]:
    def raise_terminated(signum: int, frame: FrameType | None) -> NoReturn:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="phinery",
        description="A workshop for small language models: one recipe tells a model's whole life.",
        epilog="Start with `phinery run`. Every verb teaches itself: phinery VERB --help",
    )
    parser.add_argument("--version", action="version", version=f"phinery {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    run = _verb(verbs, "run", "carry out a recipe (default: nano)", _RUN_HELP, _run)
    _recipe_options(run)
    run.add_argument(
        "--only", metavar="STAGE", help="make this stage and those it needs, nothing after it"
    )
    data.add_verbs(_verb, verbs)
    tokenize = _verb(verbs, "tokenize", "make token shards", _TOKENIZE_HELP, _run)
    _recipe_options(tokenize)
    tokenize.set_defaults(only="shards")
    pretrain = _verb(verbs, "pretrain", "train a model", _PRETRAIN_HELP, _run)
    _recipe_options(pretrain)
    pretrain.set_defaults(only="pretrain")
    grow.add_verb(_verb, verbs)

    generate = _verb(verbs, "generate", "continue a text", _GENERATE_HELP, _generate)
    generate.add_argument("model", metavar="MODEL")
    generate.add_argument("prompt", metavar="PROMPT", help="the text to continue, or - for stdin")
    _sampling_options(generate, max_tokens=128)
    chat = _verb(verbs, "chat", "talk with a model", _CHAT_HELP, _chat)
    chat.add_argument("model", metavar="MODEL")
    _sampling_options(chat, max_tokens=256)
    evaluate.add_verb(_verb, verbs)
    bench.add_verb(_verb, verbs)
    export.add_verb(_verb, verbs)
    return parser


def _verb(
    verbs: Any, name: str, summary: str, text: str, action: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=summary,
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(action=action)
    return parser


def _recipe_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", nargs="?", default="nano", help="default: nano")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a setting, as in corpus.path=FOLDER; may be given often",
    )
    parser.add_argument("--out", metavar="DIR", help="the run directory; default: runs/NAME")
    parser.add_argument(
        "--show", action="store_true", help="print the recipe with every default, and do nothing"
    )


def _sampling_options(parser: argparse.ArgumentParser, *, max_tokens: int) -> None:
    add = parser.add_argument
    add("--max-tokens", type=int, default=max_tokens, metavar="N", help="default: %(default)s")
    add(
        "--temperature",
        type=float,
        default=0.8,
        metavar="T",
        help="0 always takes the likeliest token; default: %(default)s",
    )
    add(
        "--top-p",
        type=float,
        default=0.95,
        metavar="P",
        help="sample from the likeliest tokens that make up this probability; default: %(default)s",
    )
    add(
        "--top-k",
        type=int,
        default=0,
        metavar="K",
        help="sample from the K likeliest tokens; default: all",
    )
    add(
        "--stop",
        action="append",
        metavar="TEXT",
        help="end before this text; may be given often",
    )
    add("--seed", type=int, metavar="N", help="the same seed gives the same text")
    add("--regex", metavar="PATTERN", help="write only what this regular expression matches")
    add("--json-schema", metavar="FILE", help="write only JSON that this schema allows")
    add(
        "--quantization",
        choices=("int8", "int4"),
        help="round the weights while loading: faster, less exact; default: as they are",
    )
    add("--threads", type=int, metavar="N", help="default: the fewest that are as fast as any")
    add("--draft", metavar="MODEL", help="a smaller model that proposes tokens; same text, faster")


def _run(arguments: argparse.Namespace) -> int:
    from phinery.recipe import Recipe, RecipeError, run, show_recipe

    try:
        recipe = Recipe.load(arguments.recipe, arguments.set)
        if arguments.show:
            print(show_recipe(recipe), end="")
            return 0
        directory = run(recipe, arguments.out, only=arguments.only)
    except RecipeError as error:
        raise UsageError(str(error)) from error
    if arguments.only is None:
        _print_next_commands(arguments.recipe, recipe, directory)
    return 0


def _open(arguments: argparse.Namespace) -> Engine:
    """The engine that the options ask for."""
    from phinery.infer import Engine
    from phinery.model import hub

    return Engine.open(
        hub.resolve(arguments.model),
        quantization=arguments.quantization,
        threads=arguments.threads,
        draft=arguments.draft and hub.resolve(arguments.draft),
        max_batch=1,
    )


def _sampling(arguments: argparse.Namespace, stop: Sequence[str] = ()) -> SamplingParams:
    from phinery.infer import SamplingParams

    schema: str | None = None
    if arguments.json_schema is not None:
        try:
            schema = Path(arguments.json_schema).read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{arguments.json_schema} cannot be read: {error.strerror}") from error
    try:
        return SamplingParams(
            max_tokens=arguments.max_tokens,
            temperature=arguments.temperature,
            top_p=arguments.top_p,
            top_k=arguments.top_k,
            stop=[*stop, *(arguments.stop or ())],
            seed=arguments.seed,
            regex=arguments.regex,
            json_schema=schema,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _generate(arguments: argparse.Namespace) -> int:
    params = _sampling(arguments)
    prompt: str = sys.stdin.read() if arguments.prompt == "-" else arguments.prompt
    deltas = _open(arguments).stream_sync(prompt, params)
    print(prompt, end="", flush=True)
    for delta in deltas:
        print(delta.text, end="", flush=True)
    print()
    return 0


def _chat(arguments: argparse.Namespace) -> int:
    from phinery.text.chat import ChatTranscript

    params = _sampling(arguments, ChatTranscript.stop)
    engine = _open(arguments)
    room = max(engine.context_length - arguments.max_tokens, engine.context_length // 2)
    talk = ChatTranscript()
    if sys.stdin.isatty():
        print("Ctrl-D ends the talk, /new begins another, Ctrl-C cuts an answer short.")
    while (question := _ask()) is not None:
        if question == "/new":
            talk = ChatTranscript()
        elif question:
            prompt = talk.prompt_ids(question, engine.tokenizer, room)
            talk.add(question, _answer(engine, prompt, params))
    return 0


def _ask() -> str | None:
    """The next line from the person, or None at the end of input."""
    if sys.stdin.isatty():
        import readline  # line editing and history inside input()

        readline.set_auto_history(True)
    try:
        return input("\n> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return None


def _answer(engine: Engine, prompt: list[int], params: SamplingParams) -> str:
    """Print an answer as it comes; Ctrl-C ends only the answer, on a terminal."""
    answer = ""
    try:
        for delta in engine.stream_sync(prompt, params):
            text = delta.text if answer else delta.text.lstrip()
            answer += text
            print(text, end="", flush=True)
    except KeyboardInterrupt as error:
        if isinstance(error, _Terminated) or not sys.stdin.isatty():
            raise
    print(flush=True)
    return answer


def _command() -> str:
    """How this command was called, so that what we propose can be typed as it stands."""
    called = Path(sys.argv[0])
    if called.name != "phinery":
        return f"{Path(sys.executable).name} -m phinery"
    found = shutil.which("phinery")
    if found is not None and Path(found).resolve() == called.resolve():
        return "phinery"
    shown = os.path.relpath(called)
    return shlex.quote(str(called) if shown.startswith("..") else shown)


def _print_next_commands(source: str, recipe: Recipe, directory: Path) -> None:
    command, place = _command(), shlex.quote(str(directory))
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    rows = [(f"{opener} {place}/report.html", "look at the report")]
    if recipe.pretrain:
        rows.insert(0, (f"{command} chat {place}/model", "talk with it"))
    rows.insert(
        len(rows) - 1,
        (
            f"{command} run {shlex.quote(source)} --set corpus.path=FOLDER --out runs/mine",
            "train on your own text",
        ),
    )
    width = max(len(row[0]) for row in rows)
    print("\nnext:")
    for line, meaning in rows:
        print(f"  {line:{width}}   # {meaning}")


def _how_to_go_on(arguments: argparse.Namespace) -> str:
    if arguments.verb in ("refine", "synthesize", "evaluate"):
        return "stopped; give the same command again to go on"
    if arguments.action is not _run:
        return "stopped"
    words = [_command(), arguments.verb, arguments.recipe]
    words += [word for setting in arguments.set for word in ("--set", shlex.quote(setting))]
    words += ["--out", shlex.quote(arguments.out)] if arguments.out else []
    if arguments.verb == "run" and arguments.only:
        words += ["--only", arguments.only]
    return f"stopped; nothing is lost, go on with: {' '.join(words)}"
