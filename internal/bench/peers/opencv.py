"""Frames by OpenCV's VideoCapture, with the threads that it takes itself."""

import cv2

import peer


def rgb(bgr):
    return lambda: bgr[:, :, ::-1].tobytes()  # only the hash needs it


def opened(name):
    capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise SystemExit("cannot open " + name)
    return capture


def each(job, emit, every, n=None):
    capture = opened(job["files"][0])
    i = 0
    while (n is None or i < n) and capture.grab():
        if i % every == 0:
            emit(rgb(capture.retrieve()[1]))
        i += 1
    capture.release()


def pick(capture, numbers, emit, gop):
    """Frames in ascending order: decode on while the next is within a GOP, else seek."""
    at = 0
    for n in numbers:
        if n < at or n - at > gop:
            capture.set(cv2.CAP_PROP_POS_FRAMES, n)
            at = n
        while at <= n:
            if not capture.grab():
                raise SystemExit("no frame %d" % n)
            at += 1
        emit(rgb(capture.retrieve()[1]))


def frames(job, emit):
    capture = opened(job["files"][0])
    pick(capture, job["numbers"], emit, job["gop"])
    capture.release()


def uniform(job, emit):
    for name in job["files"]:
        capture = opened(name)
        pick(capture, peer.uniform(job["n"], int(capture.get(cv2.CAP_PROP_FRAME_COUNT))), emit, job["gop"])
        capture.release()


def open_only(job, emit):
    for name in job["files"]:
        capture = opened(name)
        emit(str(int(capture.get(cv2.CAP_PROP_FRAME_COUNT))).encode())
        capture.release()


peer.main({
    "all": lambda job, emit: each(job, emit, 1),
    "every": lambda job, emit: each(job, emit, job["every"]),
    "first": lambda job, emit: each(job, emit, 1, job["n"]),
    "frames": frames,
    "uniform": uniform,
    "open": open_only,
})
