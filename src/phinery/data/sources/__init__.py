"""Text from files, the web and this machine, as documents."""

from __future__ import annotations

from phinery.data.sources.files import ENDINGS, list_inputs, read_documents, read_input
from phinery.data.sources.inputs import Input

__all__ = ["ENDINGS", "Input", "list_inputs", "read_documents", "read_input"]
