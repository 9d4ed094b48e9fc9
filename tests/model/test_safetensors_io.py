from __future__ import annotations

import safetensors
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phinery.model.safetensors_io import read_into, write_file
from phinery.model.stored import read_header

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
SHAPES = st.lists(st.integers(0, 5), max_size=3)


@settings(max_examples=60, deadline=None)
@given(contents=st.dictionaries(NAMES, st.tuples(SHAPES, st.sampled_from(DTYPES)), max_size=6))
def test_safetensors_files_agree_with_the_reference_library(tmp_path_factory, contents):
    contents.pop("__metadata__", None)
    path = tmp_path_factory.mktemp("st") / "x.safetensors"
    tensors = {
        name: torch.randn(shape, dtype=torch.float64).to(dtype)
        for name, (shape, dtype) in contents.items()
    }
    write_file(path, tensors)
    with safetensors.safe_open(path, framework="pt") as theirs:
        assert set(theirs.keys()) == set(tensors)
        for name, tensor in tensors.items():
            assert torch.equal(theirs.get_tensor(name), tensor)
            assert theirs.get_tensor(name).dtype == tensor.dtype
    stored = read_header(path)
    assert stored.keys() == tensors.keys()
    for name, tensor in tensors.items():
        target = torch.full(tensor.shape, 7.0, dtype=tensor.dtype)
        read_into(stored[name], target)
        assert torch.equal(target, tensor)


def test_a_part_of_a_tensor_is_read_from_its_middle(tmp_path):
    tensor = torch.arange(60, dtype=torch.float32).view(12, 5)
    write_file(tmp_path / "x.safetensors", {"x": tensor})
    stored = read_header(tmp_path / "x.safetensors")["x"]
    for dtype in (torch.float32, torch.float64):
        target = torch.empty(4, 5, dtype=dtype)
        read_into(stored, target, start=20)
        assert torch.equal(target, tensor[4:8].to(dtype))
