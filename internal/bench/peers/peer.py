"""What the programs of this folder share: a job in JSON as the only argument, one line about it at the end.

A job has task, files, numbers, every, n, gop and hash. The line is: frames, nanoseconds of wall clock and of CPU that the
library's calls took, and the SHA-256 of all RGB bytes where it was asked for.
"""

import hashlib
import json
import resource
import sys
import time


def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def main(tasks):
    job = json.loads(sys.argv[1])
    digest = hashlib.sha256() if job.get("hash") else None
    frames = 0

    def emit(rgb):
        nonlocal frames
        frames += 1
        if digest:
            digest.update(rgb() if callable(rgb) else rgb)

    wall, used = time.perf_counter(), cpu()
    tasks[job["task"]](job, emit)
    wall, used = time.perf_counter() - wall, cpu() - used
    print(frames, int(wall * 1e9), int(used * 1e9), digest.hexdigest() if digest else "-")


def uniform(n, length):
    """Frame k of n is number k*(length-1)/(n-1), rounded, halves up."""
    n = min(n, length)
    return [(2 * k * (length - 1) + n - 1) // (2 * (n - 1)) for k in range(n)]
