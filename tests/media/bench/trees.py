"""Processor time and memory of a process tree, by kind of process, from /proc."""
import os

TICKS = os.sysconf("SC_CLK_TCK")
KINDS = ("Chrome", "X", "FFmpeg", "Pulse", "panorec")


def kind_of(command):
    name = os.path.basename(command.split("\0")[0].split(" ")[0])
    if "chrom" in name:
        return "Chrome"
    return {"Xorg": "X", "Xvfb": "X", "ffmpeg": "FFmpeg", "pulseaudio": "Pulse", "panorec": "panorec"}.get(name, "other")


def read(path):
    try:
        with open(path, "rb") as data:
            return data.read().decode(errors="replace")
    except OSError:
        return ""


def stats():
    """pid -> (parent, seconds of processor time)."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            text = read(f"/proc/{name}/stat")
            fields = text[text.rfind(")") + 2:].split()
            if len(fields) > 13:
                found[int(name)] = (int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS)
    return found


def family(root):
    """pid -> (kind, seconds of processor time) of root and all that descends from it."""
    all_stats = stats()
    members, todo = {}, [root]
    while todo:
        pid = todo.pop()
        if pid in all_stats and pid not in members:
            members[pid] = (kind_of(read(f"/proc/{pid}/cmdline")), all_stats[pid][1])
            todo += [child for child, (parent, _) in all_stats.items() if parent == pid]
    return members


def cores(before, after, seconds):
    """Cores by kind between two looks at a family."""
    used = dict.fromkeys((*KINDS, "other"), 0.0)
    for pid, (kind, total) in after.items():
        used[kind] += total - before.get(pid, (kind, 0.0))[1]
    return {kind: value / seconds for kind, value in used.items()}


def pss_mb(members):
    """Proportional set size in MB of those whose memory this user may see."""
    total = 0
    for pid in members:
        for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024
