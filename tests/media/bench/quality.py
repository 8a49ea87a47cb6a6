"""How like a lossless capture a recording is: frames are matched by what the cells read.

The pages are opened with ?grid=60, so that a reading means the same picture in every run; a lossless capture in RGB of a
run of its own gives the picture each reading stands for. Both recordings are compared with that same capture, in grey made
of RGB, so that neither gains or loses by the colour matrix it chose.
"""
import os
import subprocess
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "kit"))
import measure  # noqa: E402

FRAMES = 40
WINDOW, STEP = 8, 4
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def readings(path):
    """Number of a frame for each reading, and the size of the picture."""
    info = measure.probe(path)
    video = next(stream for stream in info["streams"] if stream["codec_type"] == "video")
    width, height = video["width"], video["height"]
    samples = measure.sample_frames(path, float(info["format"].get("duration") or 1), width, height)
    geometry, _ = measure.choose_geometry(samples)
    if geometry is None:
        raise SystemExit(f"{path}: no strip to read")
    _, frames, _ = measure.read_video(path, geometry, width, height)
    # The last frame of a reading: a lossy encoder has had its time to sharpen it, for both alike.
    return {frame["reading"][0]: i for i, frame in enumerate(frames) if frame["reading"]}, (width, height)


def grey_frames(path, numbers, size):
    """Frames by number, as grey of RGB."""
    width, height = size
    wanted = "+".join(f"eq(n\\,{number})" for number in sorted(set(numbers)))
    out = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:v:0", "-vf", f"select={wanted}", "-fps_mode",
                          "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    pictures = np.frombuffer(out, np.uint8).reshape(-1, height, width, 3)
    weights = np.array([0.299, 0.587, 0.114])
    return {number: picture @ weights for number, picture in zip(sorted(set(numbers)), pictures)}


def box_means(values):
    sums = np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes = sums[WINDOW:, WINDOW:] - sums[:-WINDOW, WINDOW:] - sums[WINDOW:, :-WINDOW] + sums[:-WINDOW, :-WINDOW]
    return boxes[::STEP, ::STEP] / WINDOW ** 2


def ssim(a, b):
    """Mean structural similarity over 8x8 windows (Wang et al. 2004, uniform window)."""
    mean_a, mean_b = box_means(a), box_means(b)
    var_a, var_b = box_means(a * a) - mean_a ** 2, box_means(b * b) - mean_b ** 2
    both = box_means(a * b) - mean_a * mean_b
    score = (2 * mean_a * mean_b + C1) * (2 * both + C2) / ((mean_a ** 2 + mean_b ** 2 + C1) * (var_a + var_b + C2))
    return float(score.mean())


def compare(recording, lossless):
    """Median SSIM of up to 40 matched frames, and how many there were."""
    own, size = readings(recording)
    true, true_size = readings(lossless)
    if size != true_size:
        return None, 0
    common = sorted(own.keys() & true.keys())
    if not common:
        return None, 0
    chosen = [common[int(i)] for i in np.unique(np.linspace(0, len(common) - 1, FRAMES).astype(int))]
    mine = grey_frames(recording, [own[reading] for reading in chosen], size)
    theirs = grey_frames(lossless, [true[reading] for reading in chosen], size)
    scores = [ssim(mine[own[reading]], theirs[true[reading]]) for reading in chosen
              if own[reading] in mine and true[reading] in theirs]
    return (float(np.median(scores)) if scores else None), len(scores)
