"""Frames by PyAV, on one thread."""

import av

import peer


def opened(name):
    container = av.open(name)
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    return container, stream


def rgb(frame):
    return frame.to_ndarray(format="rgb24")


def each(job, emit, every, n=None):
    container, _ = opened(job["files"][0])
    for i, frame in enumerate(container.decode(video=0)):
        if n is not None and i == n:
            break
        if i % every == 0:
            emit(rgb(frame))
    container.close()


def pick(container, stream, numbers, emit, gop):
    """Frames in ascending order: decode on while the next is within a GOP, else seek to the key frame before it."""
    tick = 1 / (stream.average_rate * stream.time_base)  # a frame, in ticks
    start = stream.start_time
    at, decoder = None, None
    for n in numbers:
        if at is None or n < at or n - at > gop:
            container.seek(int(start + n * tick), stream=stream)
            decoder = container.decode(stream)
            at = None
        for frame in decoder:
            at = round((frame.pts - start) / tick) + 1
            if at > n:
                emit(rgb(frame))
                break


def frames(job, emit):
    container, stream = opened(job["files"][0])
    pick(container, stream, job["numbers"], emit, job["gop"])
    container.close()


def uniform(job, emit):
    for name in job["files"]:
        container, stream = opened(name)
        pick(container, stream, peer.uniform(job["n"], stream.frames), emit, job["gop"])
        container.close()


def open_only(job, emit):
    for name in job["files"]:
        container, stream = opened(name)
        emit(str(stream.frames).encode())
        container.close()


peer.main({
    "all": lambda job, emit: each(job, emit, 1),
    "every": lambda job, emit: each(job, emit, job["every"]),
    "first": lambda job, emit: each(job, emit, 1, job["n"]),
    "frames": frames,
    "uniform": uniform,
    "open": open_only,
})
