"""What every Python client here is asked to do, and how it tells of it: a line "ok NAME" or "FAILED NAME: why" a check."""

import os
import sys
import time
import traceback

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
# Time for whatever a check waits for.
PATIENCE_S = 30
# Where alice, whose password is alice-secret, is let in by PLAIN and SCRAM.
SASL = os.environ.get("CLIENTS_SASL", "")


class Checks:
    """Runs checks by name, in the order in which they stand."""

    def __init__(self):
        self.failed = 0

    def run(self, name, check):
        try:
            check()
            print(f"ok {name}", flush=True)
        except Exception as error:
            self.fail(name, error)

    async def run_async(self, name, check):
        try:
            await check
            print(f"ok {name}", flush=True)
        except Exception as error:
            self.fail(name, error)

    def fail(self, name, error):
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


def in_each_codec(produce):
    """Has `produce(codec, values)` write as many values in each codec; all of them, in their order."""
    written = []
    for codec in CODECS:
        values = [f"{codec}-{n}" for n in range(500)]
        produce(codec, values)
        written += values
    return written
