"""A Phi as a GGUF file, which llama.cpp runs, and back.

The architecture is llama.cpp's `phi2`: its names of tensors and keys, and query, key and value in
one matrix. LayerNorms and biases are float32 in every file. Sources: `conversion/phi.py`,
`src/models/phi2.cpp` and `src/llama-model.cpp` of https://github.com/ggml-org/llama.cpp. Tensors go
through memory some rows at a time, and nothing here imports torch but `load_gguf`.
"""

from phinery.model.gguf.read import GGUFModel, load_gguf, read_gguf
from phinery.model.gguf.write import DTYPES, write_gguf

__all__ = ["DTYPES", "GGUFModel", "load_gguf", "read_gguf", "write_gguf"]
