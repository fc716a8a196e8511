"""Frames by TorchCodec, on one thread."""

import peer
from torchcodec.decoders import VideoDecoder


def opened(name):
    return VideoDecoder(name, dimension_order="NHWC", num_ffmpeg_threads=1, seek_mode="exact")


def give(batch, emit):
    for frame in batch.data:
        emit(lambda: frame.numpy().tobytes())


def ranged(job, emit, start, stop, step):
    decoder = opened(job["files"][0])
    give(decoder.get_frames_in_range(start, len(decoder) if stop is None else min(stop, len(decoder)), step), emit)


def whole(job, emit):
    for frame in opened(job["files"][0]):
        emit(lambda: frame.numpy().tobytes())


def uniform(job, emit):
    for name in job["files"]:
        decoder = opened(name)
        give(decoder.get_frames_at(peer.uniform(job["n"], len(decoder))), emit)


def open_only(job, emit):
    for name in job["files"]:
        emit(str(len(opened(name))).encode())


peer.main({
    "all": whole,
    "every": lambda job, emit: ranged(job, emit, 0, None, job["every"]),
    "first": lambda job, emit: ranged(job, emit, 0, job["n"], 1),
    "frames": lambda job, emit: give(opened(job["files"][0]).get_frames_at(job["numbers"]), emit),
    "uniform": uniform,
    "open": open_only,
})
