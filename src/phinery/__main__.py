"""`python -m phinery` is the `phinery` command."""

from __future__ import annotations

import sys

from phinery.cli import main

if __name__ == "__main__":
    sys.exit(main())
