#!/usr/bin/env python3
"""panorec against Xvfb + FFmpeg x11grab (kit/record.sh) in the same run, at the same preset and crf, as a table.

bench.py [--pages clock,static,video30,scroll] [--times 3] [--seconds 12] [--rates 24,30,60] [--only panorec|x11grab]

The recorders take turns. Cores are counted over the same stretch of a recording, by process, from /proc; the ratio is that
of the medians. SSIM is against one lossless capture of each page (see quality.py). What the machine did otherwise is
printed beside each run: figures of a busy machine are not to be trusted.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import quality
import trees

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
KIT = os.path.join(HERE, "..", "kit")
TARGET = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")))
MEDIA = os.path.join(TARGET, "tmp", "kit-media")
PANOREC = os.path.join(TARGET, "release", "panorec")
PAGES = {"clock": "clock.html?grid=60", "static": "static.html", "video30": "video30.html", "scroll": "scroll.html?grid=60"}
SETTLE = 3
LIMITS = {"clock": 0.70, "static": 0.12, "video30": 0.85, "scroll": 0.80}  # cores, panorec over x11grab
ROWS = [*trees.KINDS, "cores", "unique fps", "dropped share", "longest freeze ms", "sound offset ms", "SSIM", "size kB",
        "to first frame s", "stop to file s", "peak PSS MB"]


class Recorder:
    """One recording being made; `first_frame` tells, from outside, when there is one."""

    def __init__(self, name, command, first_frame, stop, environment=None):
        self.name, self.first_frame, self.stop = name, first_frame, stop
        self.began = time.monotonic()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log,
                                        env={**os.environ, **(environment or {})}, start_new_session=True)

    def wait(self, what, check, seconds=40):
        until = time.monotonic() + seconds
        while not check():
            if self.process.poll() is not None or time.monotonic() > until:
                self.log.seek(0)
                tail = self.log.read().decode(errors="replace")[-2000:]
                raise SystemExit(f"{self.name}: no {what} (exit code {self.process.poll()}):\n{tail}")
            time.sleep(0.01)

    def end(self):
        members = list(trees.family(self.process.pid))
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in members[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def encoder_of(recorder):
    members = trees.family(recorder.process.pid)
    return next((pid for pid, (kind, _) in members.items() if kind == "FFmpeg"), None)


def start_panorec(url, output, work, rate):
    session = os.path.join(work, "session")
    command = [PANOREC, "record", url, "-o", output, "--session", session, "--frame-rate", str(rate), "--crf", "23"]

    def first_frame():
        journal = trees.read(os.path.join(session, "recorder/runs/1/journal.jsonl"))
        return '"partOpened"' in journal

    def stop(_):
        subprocess.run([PANOREC, "ctl", session, "stop"], check=True, stdout=subprocess.DEVNULL)

    return Recorder("panorec", command, first_frame, stop)


def start_x11grab(url, output, work, rate):
    def stop(recorder):
        os.kill(encoder_of(recorder), signal.SIGINT)

    recorder = Recorder("x11grab", [os.path.join(KIT, "record.sh"), url, "3600", output], None, stop,
                        {"KIT_SETTLE": str(SETTLE), "KIT_RATE": str(rate), "TMPDIR": work})
    recorder.first_frame = lambda: os.path.exists(output)
    return recorder


STARTERS = {"panorec": start_panorec, "x11grab": start_x11grab}


def watch_memory(recorder, peak, done):
    while not done.wait(1):
        peak[0] = max(peak[0], trees.pss_mb(trees.family(recorder.process.pid)))


def record(kind, url, output, seconds, rate):
    """One recording; its figures by name."""
    with tempfile.TemporaryDirectory(prefix="panorec-bench-") as work:
        recorder = STARTERS[kind](url, output, work, rate)
        done, peak = threading.Event(), [0.0]
        memory = threading.Thread(target=watch_memory, args=(recorder, peak, done))
        try:
            recorder.wait("first frame", recorder.first_frame)
            first = time.monotonic() - recorder.began - (SETTLE if kind == "x11grab" else 0)
            memory.start()
            time.sleep(1.5)
            before, machine, at = trees.family(recorder.process.pid), machine_seconds(), time.monotonic()
            time.sleep(seconds - 2)
            after, machine_after, took = trees.family(recorder.process.pid), machine_seconds(), time.monotonic() - at
            time.sleep(0.5)
            done.set()
            stopped = time.monotonic()
            encoder = encoder_of(recorder)
            recorder.stop(recorder)
            if kind == "panorec":
                recorder.wait("end", lambda: recorder.process.poll() is not None)
            else:
                recorder.wait("end of FFmpeg", lambda: recorder.process.poll() is not None
                              or not os.path.exists(f"/proc/{encoder}/fd/0"))
            finished = time.monotonic() - stopped
            if kind == "x11grab":
                recorder.process.wait(20)
        finally:
            done.set()
            if memory.is_alive():
                memory.join()
            recorder.end()
    figures = trees.cores(before, after, took)
    figures["cores"] = sum(figures[name] for name in trees.KINDS)
    others = (machine_after - machine) / took - figures["cores"] - figures.pop("other")
    figures.update({"to first frame s": first, "stop to file s": finished, "peak PSS MB": peak[0],
                    "size kB": os.path.getsize(output) / 1000})
    return figures, others


def machine_seconds():
    """Processor time used by anybody."""
    ticks = [int(n) for n in trees.read("/proc/stat").splitlines()[0].split()[1:9]]
    return sum(ticks[i] for i in (0, 1, 2, 5, 6, 7)) / trees.TICKS


def measured(output, rate):
    done = subprocess.run(["/usr/bin/python3", os.path.join(KIT, "measure.py"), output, "--json", "--fps", str(rate)],
                          capture_output=True, check=True)
    report = json.loads(done.stdout)
    clock, offset = report.get("clock") or {}, report.get("av_offset") or {}
    return {"unique fps": clock.get("effective_fps"), "dropped share": clock.get("dropped_share"),
            "longest freeze ms": clock.get("longest_freeze_ms"), "sound offset ms": offset.get("median_ms")}


def capture_lossless(url, output):
    """From soon after the page's start, at 60 frames a second, in RGB: every picture that a recording may hold."""
    environment = {**os.environ, "KIT_SETTLE": "0.3", "KIT_RATE": "60"}
    subprocess.run([os.path.join(KIT, "record.sh"), url, "24", output], env=environment, check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def median(rows, name):
    values = [row[name] for row in rows if row.get(name) is not None]
    return statistics.median(values) if values else None


def shown(value):
    return "-" if value is None else f"{value:.4f}" if 0 < abs(value) < 1 else f"{value:.2f}"


def print_table(page, results):
    kinds = list(results)
    print(f"\n{page}: medians of {len(results[kinds[0]])}")
    print(f"{'':20}" + "".join(f"{kind:>12}" for kind in kinds) + ("       ratio" if len(kinds) == 2 else ""))
    for name in ROWS:
        values = [median(results[kind], name) for kind in kinds]
        if all(value is None for value in values):
            continue
        ratio = f"{values[0] / values[1]:12.2f}" if len(values) == 2 and None not in values and values[1] > 0 else ""
        print(f"{name:20}" + "".join(f"{shown(value):>12}" for value in values) + ratio)
    if len(kinds) == 2 and page in LIMITS:
        ratio = median(results["panorec"], "cores") / median(results["x11grab"], "cores")
        print(f"cores {ratio:.2f} of x11grab's, promised at most {LIMITS[page]:.2f}: {'kept' if ratio <= LIMITS[page] else 'MISSED'}")


def bench_page(page, address, options, work):
    kinds = [options.only] if options.only else ["panorec", "x11grab"]
    results = {kind: [] for kind in kinds}
    url = address + PAGES[page]
    lossless = os.path.join(work, "lossless.mkv")
    capture_lossless(url, lossless)
    for turn in range(options.times):
        for kind in kinds:
            output = os.path.join(work, f"{kind}.mp4")
            if os.path.exists(output):
                os.remove(output)
            figures, others = record(kind, url, output, options.seconds, 30)
            if page != "static":
                figures.update(measured(output, 30))
            figures["SSIM"], matched = quality.compare(output, lossless)
            results[kind].append(figures)
            print(f"{page} {turn + 1} {kind}: {figures['cores']:.3f} cores, SSIM of {matched} frames "
                  f"{shown(figures['SSIM'])}, others used {others:.2f} cores", flush=True)
    print_table(page, results)


def bench_rates(address, options, work):
    """What a display of each rate costs: panorec's display runs at the rate of the recording, from 24 Hz."""
    output = os.path.join(work, "rate.mp4")
    for rate in options.rates.split(","):
        rows = []
        for _ in range(options.times):
            figures, _ = record("panorec", address + "clock.html", output, options.seconds, int(rate))
            rows.append({**figures, **measured(output, int(rate))})
        print_table(f"clock at {rate} Hz", {"panorec": rows})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", default=",".join(PAGES))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--rates", default="24,30,60", help="empty for none")
    parser.add_argument("--only", choices=STARTERS)
    options = parser.parse_args()
    subprocess.run(["/usr/bin/python3", os.path.join(KIT, "make_media.py"), MEDIA], check=True)
    server = subprocess.Popen(["/usr/bin/python3", "-u", os.path.join(ROOT, "scripts", "serve_folder.py"),
                               os.path.join(KIT, "pages"), f"media={MEDIA}"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    try:
        address = server.stdout.readline().decode().strip()
        with tempfile.TemporaryDirectory(prefix="panorec-bench-") as work:
            for page in filter(None, options.pages.split(",")):
                bench_page(page, address, options, work)
            if options.rates and options.only != "x11grab":
                bench_rates(address, options, work)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
