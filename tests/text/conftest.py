from __future__ import annotations

import pytest
from hypothesis import settings

from phinery.text import Tokenizer
from text_help import codegen_backend

# How long an example takes on a busy machine says nothing about what is tested.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_backend(codegen_backend())
