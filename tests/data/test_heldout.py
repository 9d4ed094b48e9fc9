from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phinery.data import is_held_out


@given(text=st.text(), share=st.floats(0, 1), other=st.floats(0, 1))
def test_it_depends_on_the_content_and_grows_with_the_share(text: str, share: float, other: float):
    kept = is_held_out(text, share=share)
    assert kept == is_held_out(text.encode(), share=share)
    assert is_held_out(text, share=max(share, other)) >= is_held_out(text, share=min(share, other))


def test_the_share_is_met_and_the_key_decides_who():
    texts = [f"document {number}" for number in range(20_000)]
    default = {text for text in texts if is_held_out(text)}
    assert 150 < len(default) < 250, "five standard deviations around 1%"
    other = {text for text in texts if is_held_out(text, key="another")}
    assert 150 < len(other) < 250
    assert len(default & other) < 15
    assert not any(is_held_out(text, share=0) for text in texts)
    assert all(is_held_out(text, share=1) for text in texts)


def test_the_rule_never_changes():
    kept = [number for number in range(400) if is_held_out(f"document {number}")]
    assert kept == [66, 89, 113, 183, 206, 289, 308, 344, 397, 399]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_wrong_share_is_refused(share: float):
    with pytest.raises(ValueError, match="between 0 and 1"):
        is_held_out("text", share=share)


def test_a_key_too_long_is_refused():
    with pytest.raises(ValueError, match="64 is the most"):
        is_held_out("text", key="k" * 65)
