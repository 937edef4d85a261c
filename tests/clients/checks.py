"""What every Python client here is asked to do, and how it tells of it: a line "ok NAME" or "FAILED NAME: why" a check."""

import sys
import time
import traceback

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
# Time for whatever a check waits for.
PATIENCE_S = 30


class Checks:
    """Runs checks by name, in the order in which they stand."""

    def __init__(self):
        self.failed = 0

    def run(self, name, check):
        try:
            check()
            print(f"ok {name}", flush=True)
        except Exception as error:
            self.failed += 1
            traceback.print_exc()
            print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)

    def end(self):
        sys.exit(1 if self.failed else 0)


def equal(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r} where {wanted!r} was expected")


def eventually(condition, what):
    """Waits until `condition()` gives something that is true; that."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE_S} s: {what}")
