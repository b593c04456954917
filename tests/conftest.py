"""What all tests need: signals that reach the programs they start, and no clock in examples."""

import signal

from hypothesis import settings

# A shell that runs the tests in the background ignores these, and programs inherit that.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(
            _number,
            signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL,
        )

# Shared machines are slow at times: no example of a property test fails by the clock.
settings.register_profile("driftscan", deadline=None)
settings.load_profile("driftscan")
