"""Arguments that a function changes in place: what happened to them, as plain values.

Both sides number the mutable containers in the arguments in the same order. Afterwards the side
that called tells what each holds now; those that were there before stay the same objects.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MUTABLE: tuple[type, ...] = (list, dict, set, bytearray)


class Reference:
    """Stands for the container with that number inside another container's state."""

    def __init__(self, number: int) -> None:
        self.number = number


def containers(value: Any) -> list[Any]:
    """The mutable containers inside a plain value, each once, in the order of their appearance."""
    found: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if id(item) in found:
            continue
        if type(item) in _MUTABLE:
            found[id(item)] = item
        if type(item) in (list, tuple):
            waiting += reversed(item)
        elif type(item) is dict:
            waiting += reversed(item.values())
    return list(found.values())


def states(known: list[Any]) -> list[Any]:
    """What each container holds, with `Reference` in place of a container of the list."""
    numbers = {id(container): number for number, container in enumerate(known)}

    def named(item: Any) -> Any:
        return Reference(numbers[id(item)]) if id(item) in numbers else item

    told: list[Any] = []
    for container in known:
        if type(container) is list:
            told.append([named(item) for item in container])
        elif type(container) is dict:
            told.append([(key, named(item)) for key, item in container.items()])
        else:
            told.append(list(container))
    return told


def restore(known: list[Any], told: list[Any]) -> None:
    """Give each container what `states` told of it, references resolved by whoever decoded it."""
    for container, state in zip(known, told, strict=True):
        if type(container) in (dict, set):
            container.clear()
            container.update(state)
        else:
            container[:] = state
