"""Runs Python programs that nobody has read, isolated from the machine, and tests against them.

A leaf: knows no other room, needs the standard library only. Linux, without docker. `run` is the
caller's side; the other modules run inside, in an interpreter of their own: `launch` puts up the
walls, `candidate` runs the program, `judge` its tests.
"""

from phinery.sandbox.run import Layers, SandboxUnavailable, Verdict, probe, run_sandboxed

__all__ = ["Layers", "SandboxUnavailable", "Verdict", "probe", "run_sandboxed"]
