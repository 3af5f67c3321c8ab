"""Runs a command for another process: ``python guard.py SECONDS OUTPUT ERRORS PROGRAM ARGUMENT...``.

The command, and all that it starts, ends after some seconds, and as soon as the other process is gone: that process
keeps this one's standard input open while it lives, even if it is killed. The command's output and errors go to files.
How it ended goes to standard output, as JSON: its exit code, null if the time was up, or why it could not start.

This script imports nothing of the package, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress


def main(seconds: str, output: str, errors: str, *command: str) -> None:
    with open(output, "wb") as out, open(errors, "wb") as err:
        try:
            # A group of its own, so that what the command starts can be ended with it.
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        except OSError as error:
            print(json.dumps(error.strerror or str(error)))
            return
    time_is_up = threading.Event()

    def end_all() -> None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)

    def end_in_time() -> None:
        time_is_up.set()
        end_all()

    def end_with_the_other_process() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        end_all()
        os._exit(1)

    clock = threading.Timer(min(float(seconds), threading.TIMEOUT_MAX), end_in_time)
    for thread in (clock, threading.Thread(target=end_with_the_other_process)):
        thread.daemon = True
        thread.start()
    code = child.wait()
    clock.cancel()
    end_all()  # what it left running
    print(json.dumps(None if time_is_up.is_set() else code))


if __name__ == "__main__":
    main(*sys.argv[1:])
