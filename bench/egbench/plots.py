# SPDX-License-Identifier: MIT
"""Pictures, by gnuplot."""
import os
import shutil
import subprocess

from . import output

STYLE = {"persistent": "#1b7837", "map": "#b2182b", "copy": "#2166ac"}
TERMINALS = {
    "svg": "svg size 720,440 font 'sans-serif,13' background '#ffffff'",
    "png": "pngcairo size 1080,660 font 'sans-serif,14'",
}


def title(what, about):
    return (f"{what}\\n{{/*0.75 {about['cpu']}, {about['cpus']} CPUs, "
            f"Linux {about['kernel']}, {about['date']}}}")


def escape(text):
    """For gnuplot's enhanced text in double quotes."""
    return text.replace("\\", "").replace('"', "").replace("_", "\\\\_")


def script(figure, about, curves, terminal):
    about = {k: escape(str(v)) for k, v in about.items()}
    lines = [f"set terminal {TERMINALS[terminal]}",
             f'set title "{title(figure["title"], about)}"',
             f'set xlabel "{figure["x"]}"', f'set ylabel "{figure["y"]}"',
             "set grid ytics lc rgb '#dddddd'", "set border 3",
             "set tics nomirror", "set key outside right top",
             "set yrange [0:*]", *figure.get("more", [])]
    plot = []
    for number, (name, points) in enumerate(curves):
        lines.append(f"$c{number} << END")
        lines += [" ".join(str(v) for v in p) for p in points]
        lines.append("END")
        color, dash = figure["style"](name, number)
        plot.append(f'$c{number} using 1:2 with linespoints lw 2 pt 7 ps 0.6 '
                    f'lc rgb "{color}" dt {dash} title "{name}"')
        if points and len(points[0]) == 4:
            plot.append(f'$c{number} using 1:2:3:4 with yerrorbars pt -1 '
                        f'lc rgb "{color}" notitle')
    lines.append("plot " + ", \\\n ".join(plot))
    return "\n".join(lines) + "\n"


def draw(figure, about, curves, directory, say):
    """The names of the files that came out of it."""
    drawn = []
    for terminal in TERMINALS:
        name = f"{figure['name']}.{terminal}"
        done = subprocess.run(
            ["gnuplot"], capture_output=True, check=False,
            input=script(figure, about, curves, terminal).encode())
        if done.returncode or not done.stdout:
            why = done.stderr.decode(errors="replace").strip()
            say(f"gnuplot could not make {name}: {why or 'no output'}")
            continue
        output.write(os.path.join(directory, name), done.stdout)
        drawn.append(name)
    return drawn


def have(say):
    if shutil.which("gnuplot"):
        return True
    say("no gnuplot here, so no plots (make deps, or install gnuplot-nox); "
        "the table and the other files are complete")
    return False


def mode_style(name, _):
    mode, _, op = name.partition(" ")
    return STYLE.get(mode, "#666666"), 2 if op == "write" else 1


SCALE = [
    {"name": "scale-iops", "title": "Random 4 KiB I/O against guests",
     "y": "thousands of IOPS, all guests (min, median, max)",
     "value": lambda r: [v / 1000 for v in
                         (r["iops"][1], r["iops"][0], r["iops"][2])]},
    {"name": "scale-tlb", "title": "TLB shootdowns against guests",
     "y": "shootdowns per request",
     "value": lambda r: [r["tlb_per_req"]]},
    {"name": "scale-cpu", "title": "CPU per request against guests",
     "y": "us of CPU per request, backend and guest",
     "value": lambda r: [r["backend_cpu_us"] + r["guest_cpu_us"]]},
]


def scale(rows, about, directory, say):
    if not have(say):
        return []
    drawn = []
    for figure in SCALE:
        curves = {}
        for r in rows:
            values = figure["value"](r)
            if None not in values:
                curves.setdefault(f"{r['mode']} {r['op']}", []).append(
                    (r["guests"], *values))
        if curves:
            whole = dict(figure, x="guests", style=mode_style)
            drawn += draw(whole, about, sorted(curves.items()), directory, say)
    return drawn


COLORS = ["#1b7837", "#b2182b", "#2166ac", "#8c510a"]


def curves_of(rows, name, x, y):
    curves = {}
    for r in rows:
        curves.setdefault(name(r), []).append((r[x], r[y]))
    return [(k, sorted(v)) for k, v in curves.items()]


def plain_style(_, number):
    return COLORS[number % len(COLORS)], 1 + number // len(COLORS)


def micro(result, about, directory, say):
    wanted = []
    if "guest_cpu" in result:
        wanted.append(({
            "name": "micro-guest-cpu", "title": "What memcpy costs the guest",
            "x": "bytes a request", "y": "us of guest CPU per I/O",
            "more": ["set logscale xy 2", "set yrange [*:*]"]},
            curves_of(result["guest_cpu"],
                      lambda r: f"{r['way']} {r['op']}", "bs",
                      "guest_cpu_us")))
    if "cap" in result:
        wanted.append(({
            "name": "micro-cap", "title": "Hit rate against the cap",
            "x": "kept pages, at most", "y": "hit rate",
            "more": ["set yrange [0:1.05]"]},
            curves_of(result["cap"], lambda r: f"{r['bs'] // 1024} KiB reads",
                      "cap", "hit_rate")))
    if not wanted or not have(say):
        return []
    drawn = []
    for figure, curves in wanted:
        drawn += draw(dict(figure, style=plain_style), about, curves,
                      directory, say)
    return drawn
