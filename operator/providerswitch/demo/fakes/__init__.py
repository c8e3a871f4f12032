"""Fake providers: real sockets, the real wire formats of OpenAI, Anthropic, Google Gemini and Jina, and every fault.

Used by the demo, the tests and the benchmarks; `python -m providerswitch.demo.fakes --help` runs one by itself.
"""

from providerswitch.demo.fakes.faults import Behaviour, Fault, Scope
from providerswitch.demo.fakes.server import FORMATS, Exchange, FakeProvider

__all__ = ["FORMATS", "Behaviour", "Exchange", "FakeProvider", "Fault", "Scope"]
