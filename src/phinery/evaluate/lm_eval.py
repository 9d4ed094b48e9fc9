"""lm-evaluation-harness's own command line, which then knows the model `phinery` as well.

python -m phinery.evaluate.lm_eval run --model phinery --model_args pretrained=DIR --tasks piqa
"""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Register `HarnessModel` and hand over to `lm_eval`; its exit codes and messages."""
    from lm_eval.__main__ import cli_evaluate

    importlib.import_module("phinery.evaluate.harness")
    try:
        cli_evaluate()
    except ValueError as error:
        # What a user can mend is said in one line; lm_eval would show where in the code it arose.
        sys.exit(f"error: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
