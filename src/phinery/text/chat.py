"""Conversations with models that were not tuned for them: a plain transcript of two speakers.

A base model goes on with any text, so a conversation is written as one would find it in a document,
and the model's turn ends where it begins to write the next speaker's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phinery.text.tokenizer import Tokenizer

_SPEAKERS = {"user": "User", "assistant": "Assistant"}
STOP_STRINGS = tuple(f"\n{speaker}:" for speaker in _SPEAKERS.values())


def format_chat(messages: Sequence[Mapping[str, str]]) -> str:
    """The text after which a base model writes the assistant's next answer.

    A message has a `role`, "system", "user" or "assistant", and a `content`. A system message
    stands without a name. The text ends with "Assistant:", without a space, because tokens begin
    with theirs. Raises ValueError for other roles.
    """
    lines: list[str] = []
    for message in messages:
        role, content = message["role"], message["content"].strip()
        if role != "system" and role not in _SPEAKERS:
            raise ValueError(f"a message has the role {role!r}; system, user and assistant exist")
        lines.append(content if role == "system" else f"{_SPEAKERS[role]}: {content}")
    return "\n".join([*lines, f"{_SPEAKERS['assistant']}:"])


class ChatTranscript:
    """Questions and answers so far, and the prompt for the next answer.

    An exchange is added when its answer is over, so that a question that failed leaves no trace.
    `stop` are the texts that end an answer.
    """

    stop = STOP_STRINGS

    def __init__(self, system: str = "") -> None:
        self.system = system
        self.exchanges: list[tuple[str, str]] = []

    def prompt_ids(self, question: str, tokenizer: Tokenizer, limit: int) -> list[int]:
        """Token ids of the conversation with a new question, at most `limit` of them.

        The oldest exchanges are left out until the rest fits. Raises ValueError when the question
        alone does not.
        """
        ids: list[int] = []
        for first in range(len(self.exchanges) + 1):
            ids = tokenizer.encode(format_chat(self._messages(self.exchanges[first:], question)))
            if len(ids) <= limit:
                return ids
        raise ValueError(f"the question takes {len(ids)} tokens, {limit} are free: shorten it")

    def add(self, question: str, answer: str) -> None:
        """Remember an exchange; the answer may be one that was cut short, but not an empty one."""
        if answer.strip():
            self.exchanges.append((question, answer))

    def _messages(
        self, exchanges: Sequence[tuple[str, str]], question: str
    ) -> list[dict[str, str]]:
        messages = [{"role": "system", "content": self.system}] if self.system else []
        for asked, answered in exchanges:
            messages.append({"role": "user", "content": asked})
            messages.append({"role": "assistant", "content": answered})
        return [*messages, {"role": "user", "content": question}]
