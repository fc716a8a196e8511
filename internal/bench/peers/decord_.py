"""Frames by decord, on one thread."""

import decord

import peer


def opened(name):
    return decord.VideoReader(name, num_threads=1)


def give(batch, emit):
    for frame in batch.asnumpy():
        emit(frame.tobytes)


def ranged(job, emit, stop, step):
    reader = opened(job["files"][0])
    for first in range(0, min(stop or len(reader), len(reader)), 60 * step):
        give(reader.get_batch(range(first, min(first + 60 * step, stop or len(reader), len(reader)), step)), emit)


def uniform(job, emit):
    for name in job["files"]:
        reader = opened(name)
        give(reader.get_batch(peer.uniform(job["n"], len(reader))), emit)


def open_only(job, emit):
    for name in job["files"]:
        emit(str(len(opened(name))).encode())


peer.main({
    "all": lambda job, emit: ranged(job, emit, None, 1),
    "every": lambda job, emit: ranged(job, emit, None, job["every"]),
    "first": lambda job, emit: ranged(job, emit, job["n"], 1),
    "frames": lambda job, emit: give(opened(job["files"][0]).get_batch(job["numbers"]), emit),
    "uniform": uniform,
    "open": open_only,
})
