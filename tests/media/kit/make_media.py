#!/usr/bin/env python3
"""Make the media files that pages play: make_media.py FOLDER [NAME…]

Each source frame carries its number and its time in the cells of the kit (see pages/cells.js), so that a
recording tells which source frame each of its frames shows. Needs numpy and ffmpeg.

video25.mp4, video30.mp4  1280x720, H.264 + AAC, 70 s: cells, a moving picture, beeps at whole seconds
bare.mp4                  the same at 30 fps for 40 s, to be opened by its own address
tile0.ivf .. tile3.ivf    640x360, 30 fps, VP8, 12 s, key frame every second; tile number in the flags
tile0.ogg .. tile3.ogg    Opus, 12 s, a steady tone each: 400, 550, 700, 850 Hz
"""
import os
import subprocess
import sys

import numpy as np

from measure import PAGES, STRIP_H, STRIP_W, STRIP_X, STRIP_Y, SYNC, crc8

MAGENTA = (255, 0, 255)
CELL = 24
TONES = (400, 550, 700, 850)
PAGE_NUMBERS = {name: number for number, name in PAGES.items()}


def strip_frame(ms, count, tag, cell):
    """One picture of the strip, RGB."""
    data = ms.to_bytes(4, "big") + count.to_bytes(2, "big") + bytes([tag])
    bits = np.unpackbits(np.frombuffer(data + bytes([crc8(data)]), np.uint8)).reshape(2, 32)
    cells = np.hstack([np.array(SYNC, np.uint8), bits]) * 255
    scale = cell / CELL
    picture = np.empty((round(STRIP_H * scale), round(STRIP_W * scale), 3), np.uint8)
    picture[:] = MAGENTA
    pad = cell // 2
    picture[pad: pad + 2 * cell, pad: pad + 40 * cell] = cells.repeat(cell, 0).repeat(cell, 1)[..., None]
    return picture


def encode(path, width, height, fps, seconds, tag, background, sound, codecs):
    """Frames of the strip over a picture that FFmpeg draws."""
    cell = round(CELL * width / 1280)
    place = (round(STRIP_X * cell / CELL), round(STRIP_Y * cell / CELL))
    rows, columns, _ = strip_frame(0, 0, tag, cell).shape
    part = f"{path}.part{os.path.splitext(path)[1]}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{columns}x{rows}", "-r", str(fps),
               "-i", "-", "-f", "lavfi", "-i", background, *(["-f", "lavfi", "-i", sound] if sound else []),
               "-filter_complex", f"[1:v][0:v]overlay={place[0]}:{place[1]}:shortest=1,format=yuv420p[v]", "-map", "[v]",
               *(["-map", "2:a"] if sound else []), "-t", str(seconds), *codecs, part]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    for number in range(round(seconds * fps)):
        process.stdin.write(strip_frame(round(number * 1000 / fps), number & 0xFFFF, tag, cell).tobytes())
    process.stdin.close()
    if process.wait():
        raise SystemExit(f"ffmpeg could not make {path}: see above")
    os.rename(part, path)


def page_video(path, fps, seconds):
    # A small moving picture in a grey page: what a lesson with a player looks like to an encoder.
    background = (f"color=0x303030:s=1280x720:r={fps}[page];testsrc2=s=640x480:r={fps}[film];"
                  "[page][film]overlay=320:160")
    beep = "0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.1)*gte(t,0.5)"
    mark = "0.5*sin(2*PI*1500*t)*between(mod(t,10),0.2,0.3)*gte(t,5)"
    sound = f"aevalsrc='{beep}+{mark}+0.02*sin(2*PI*300*t)':s=48000"
    codecs = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-g", str(2 * fps), "-c:a", "aac", "-b:a", "96k",
              "-movflags", "+faststart"]
    encode(path, 1280, 720, fps, seconds, PAGE_NUMBERS["video"] | (fps == 25) << 4, background, sound, codecs)


def tile(path, number):
    background = f"color=0x{('405060', '604050', '506040', '605040')[number]}:s=640x360:r=30[wall];" \
                 "testsrc2=s=240x180:r=30[face];[wall][face]overlay=200+120*sin(t*1.5):120"
    codecs = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "6", "-b:v", "700k", "-g", "30",
              "-keyint_min", "30", "-auto-alt-ref", "0", "-lag-in-frames", "0", "-an"]
    encode(path, 640, 360, 30, 12, PAGE_NUMBERS["webrtc"] | number << 4, background, None, codecs)


def tone(path, number):
    part = f"{path}.part.ogg"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"sine=f={TONES[number]}:r=48000:d=12", "-ac", "2",
                    "-c:a", "libopus", "-b:a", "48k", "-frame_duration", "20", part], check=True, stdin=subprocess.DEVNULL)
    os.rename(part, path)


FILES = {
    "video25.mp4": lambda path: page_video(path, 25, 70),
    "video30.mp4": lambda path: page_video(path, 30, 70),
    "bare.mp4": lambda path: page_video(path, 30, 40),
    **{f"tile{i}.ivf": (lambda path, i=i: tile(path, i)) for i in range(4)},
    **{f"tile{i}.ogg": (lambda path, i=i: tone(path, i)) for i in range(4)},
}


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    folder, names = sys.argv[1], sys.argv[2:] or list(FILES)
    os.makedirs(folder, exist_ok=True)
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            FILES[name](path)


if __name__ == "__main__":
    sys.exit(main())
