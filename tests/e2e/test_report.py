#!/usr/bin/env python3
"""coppice-report: a page that needs nothing else, with pictures that show something, of one run, of
several, of one that was interrupted; what is no run is refused by name."""
import base64
import html
import os
import re
import shutil
import signal
import struct
import subprocess
import time

from lib import ENV, QUICK, TOP, check, inspect, run_command, run_job, run_shared_job, scratch

REPORT = os.path.join(TOP, "analysis", "coppice-report")
if subprocess.run(["/usr/bin/python3", "-c", "import h5py, matplotlib"], stderr=subprocess.DEVNULL).returncode != 0:
    print("skipped: python3-h5py or python3-matplotlib is not installed")
    raise SystemExit(77)

LOOK = """
import sys
import matplotlib.image as image
for path in sys.argv[1:]:
    pixels = image.imread(path)[..., :3]
    ink = (pixels.min(axis=2) < 0.9).mean()
    grey = pixels @ [0.299, 0.587, 0.114]
    print(path, pixels.shape[1], pixels.shape[0], round(float(ink), 4), len(set((grey * 16).astype(int).ravel())))
"""


# The smallest pictures, by runs that have no more than they show: of two directions, and of two runs.
SMALLEST = """
import sys
from types import SimpleNamespace as Some
import numpy as np
sys.path.insert(0, sys.argv[1])
from coppice_report import figures
columns = {"q": np.array([0.5, 0.5]), "beta": np.array([1.0, 5.0]), "operator": ["two-pass"] * 2, "step": np.ones(2)}
method = Some(value=0.5, low=0.4, high=0.6)
run = Some(title="run", measure="reward", proposals=lambda: [("stage1", columns, np.array([0.1, 0.9]))],
           methods=lambda: [method], result=lambda: method)
figures.proposals(run).savefig(sys.argv[2] + "/proposals.png")
figures.compare_accuracy([run, run]).savefig(sys.argv[2] + "/accuracy.png")
"""

# What pictures say of names that matplotlib has a meaning for, and of more than they have room for.
WORDS = r"""
import sys
from types import SimpleNamespace as Some
import numpy as np
sys.path.insert(0, sys.argv[1])
from coppice_report import figures, halves, reading

def named(title):
    method = Some(value=0.5, low=0.4, high=0.6, gain=0.1, gain_low=0, gain_high=0.2)
    return Some(title=title, measure="reward", methods=lambda: [method], result=lambda: method,
                phases=lambda: [Some(tokens=1)])
runs = [named(title) for title in ("_old", "a$x_^y$b", "$5 and $6")]
for draw in (figures.compare_accuracy, figures.compare_cost):
    draw(runs).canvas.draw()
legend = [words.get_text().strip() for words in draw(runs).axes[0].get_legend().get_texts()]
assert legend == [run.title for run in runs], legend

columns = {"q": np.array([0.5, 0.5]), "beta": np.array([1.0, 5.0]), "operator": ["two-pass"] * 2, "step": np.ones(2)}
groups = [(f"rounds/round_{n}/steps", columns, np.array([0.1, 0.9])) for n in range(6)]
drawn = figures.proposals(Some(proposals=lambda: groups))
assert drawn.axes[3].get_title(loc="left").endswith("(the 4th of 6 phases)"), drawn.axes[3].get_title(loc="left")

count = 7
cosine = Some(**{name: np.full(count, 0.5) for name in ("median", "low", "high", "null_95")})
split = Some(q=np.arange(count) / 10, beta=np.ones(count), agreement={"direction_cosine": cosine}, halvings=3)
drawn = halves.directions(Some(split_half=lambda: split))
assert drawn.axes[0].get_title(loc="left").endswith("the 5 smallest of 7 q"), drawn.axes[0].get_title(loc="left")

# Half of the candidates of two workers were scored in another phase.
def scaled(workers, status):
    arrays = {"population/seconds": np.where(status == 4, 0.0, 1.0), "population/status": status,
              "population/rank": np.where(status == 4, -1, np.arange(len(status))[:, None] % workers)}
    return Some(population=lambda: (None, np.zeros(len(status)), None), array=arrays.get)
drawn = figures.scaling([scaled(1, np.full((8, 1), 1)), scaled(2, np.array([[4]] * 4 + [[1]] * 4))])
assert list(drawn.axes[0].lines[0].get_ydata()) == [1, 2], drawn.axes[0].lines[0].get_ydata()

assert reading.tell_apart(["/runs/old\udce9/run.h5", "/runs/neu\xe9"]) == ["old\ufffd", "neu\xe9"]
assert reading.unquote(r'"a \"b\" \\x\n\x07\u2028\U0010FFFF\""') == 'a "b" \\x\n\x07\u2028\U0010ffff"'
assert reading.unquote('[0.5, 1]') == '[0.5, 1]' and reading.unquote('"') == '"'
"""


def check_edges(paths):
    """No picture has ink at its edge: nothing is cut off."""
    look = LOOK.replace("print(", "print(min(pixels[[0, -1]].min(), pixels[:, [0, -1]].min()) < 0.5, ")
    seen = subprocess.run(["/usr/bin/python3", "-c", look, *paths], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in seen.splitlines():
        check(line.startswith("False"), f"cut off at the edge: {line}")


def report(*arguments, code=0):
    done = subprocess.run([REPORT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV,
                          timeout=300)
    check(done.returncode == code, f"coppice-report {arguments}: exit code {done.returncode}: {done.stderr}")
    return done.stdout if code == 0 else done.stderr


def check_page(folder, wanted):
    """The page's pictures are PNGs within it, described, and those files beside it; none is empty."""
    page = open(os.path.join(folder, "report.html"), encoding="utf-8").read()
    images = re.findall(r'<img alt="([^"]*)" src="data:image/png;base64,([^"]+)"', page)
    check(not re.search(r'(src|href)="(?!data:)', page), "the page needs other files")
    check('name="viewport"' in page and "overflow-x: auto" in page, "on a phone the page is as wide as its tables")
    check(len(page) < 4_000_000, f"the page has {len(page)} bytes: too big to mail")
    names = sorted(name for name in os.listdir(folder) if name.endswith(".png"))
    check(len(images) == len(names), f"{len(images)} pictures in the page, {len(names)} beside it")
    for alt, data in images:
        head = base64.b64decode(data)[:24]
        check(head[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">I", head[16:20])[0] > 600, "a picture is no PNG")
        check(len(alt) > 40, f"a picture is not described: {alt!r}")
    for name in wanted:
        check(any(name in had for had in names), f"there is no picture {name}, only {names}")
    seen = subprocess.run(["/usr/bin/python3", "-c", LOOK] + [os.path.join(folder, name) for name in names],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in seen.splitlines():
        path, _, height, ink, greys = line.rsplit(" ", 4)
        check(int(height) > 150 and 0.005 < float(ink) and int(greys) > 4, f"an empty picture: {line}")
    return page, names


with scratch() as folder:
    subprocess.run(["/usr/bin/python3", "-c", SMALLEST, os.path.dirname(REPORT), folder], check=True)
    check_edges([os.path.join(folder, name) for name in ("proposals.png", "accuracy.png")])
    subprocess.run(["/usr/bin/python3", "-c", WORDS, os.path.dirname(REPORT)], check=True)
    first, second, broken = (os.path.join(folder, name) for name in ("first", "second", "interrupted"))
    run_job(1, first, QUICK)
    run_shared_job(3, second, QUICK + ["consolidate.operators=[two-pass, precision]", "analysis.split_half=false"])
    out = os.path.join(folder, "page")
    report(first, "-o", out)
    page, names = check_page(out, ["methods", "course", "rewards_by_sigma", "reward_halves", "canonical_correlations",
                                   "spectrum", "directions", "proposals", "gate", "cost"])
    for words in ("arith", "95%", "population", "recenter/round_1/proposals", "rank seconds", "reproducible rank"):
        check(words in page, f"the page does not say {words!r}")
    for words in ("p, base", "search, tokens", "(*) chosen by its score on test"):
        check(words in page, f"the table of methods does not say {words!r}")
    check('<th scope="row">task</th><td>arith</td>' in page and " 1 rank of 1 thread on " in page, "what the run is is not told in words")
    check(page.count("<thead>") == page.count("<table>") > 2, "on paper a table's head is not repeated")

    # A write that fails has no file name of its own.
    small = os.path.join(folder, "small")
    done = subprocess.run(["bash", "-c", 'ulimit -f 20; exec "$@"', "bash", REPORT, first, "-o", small], env=ENV,
                          stderr=subprocess.PIPE, text=True, timeout=300)
    check(done.returncode == 1 and f"coppice-report: {small}: " in done.stderr, f"a disk too small for a page: {done.stderr}")

    # Where nothing is merged the result is the best candidate on support, not what stands last in the table.
    voted = os.path.join(folder, "voted")
    run_job(1, voted, QUICK + ["method=randopt", "baselines.randopt=[1, 5]", "baselines.self_consistency=[2]",
                               "population.seed=5", "analysis.split_half=false", "splits.drop_uninformative=true",
                               "splits.drop_after=10000"])
    best = inspect(voted)["baselines"]["randopt_k1"]["accuracy"]
    subprocess.run(["/usr/bin/python3", "-c", f"import h5py; "
                    f"h5py.File({os.path.join(voted, 'run.h5')!r}, 'r+')['baselines/randopt_k5/p_base'][()] = 1e-6"], check=True)
    report(voted, "-o", os.path.join(folder, "vote"))
    page = open(os.path.join(folder, "vote", "report.html"), encoding="utf-8").read()
    check("<td>&lt;0.0001</td>" in page, "a p-value that shows as zero")
    check("their mean is" in page and "that of the others" not in page, "a mean of others where all candidates decided")
    check("answers and tokens are those to all splits" in page, "what the base's cost is of")
    check(f"best candidate on support is {best:.3f} on test" in html.unescape(page), f"another verdict than {best:.3f}")
    out = os.path.join(folder, "pages")
    twin, latin = os.path.join(folder, "other", "first"), os.fsencode(os.path.join(folder, "old")) + b"\xe9"
    shutil.copytree(first, twin)
    shutil.copytree(os.fsencode(first), latin)
    report(first, twin, latin, "-o", os.path.join(folder, "twins"))
    page = open(os.path.join(folder, "twins", "report.html"), encoding="utf-8").read()
    check("<h2>old\ufffd</h2>" in page, "a folder whose name is not UTF-8")
    for title in (os.path.basename(folder) + "/first", "other/first"):
        check(f"<h2>{title}</h2>" in page, f"two runs of one name are not told apart: no {title}")
    report(first, os.path.join(second, "run.h5"), "-o", out)
    page, more = check_page(out, ["all_compare_accuracy", "all_compare_cost", "all_scaling", "run2_ranks", "run1_gate",
                                  "run1_spectrum", "run2_reward_halves"])
    check("run2_spectrum.png" not in more and "Not shown" in page, "a picture of an analysis that was switched off")

    job = subprocess.Popen(run_command(1, broken, QUICK + ["checkpoint.interval=0"]), stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, env=ENV, cwd=TOP)
    deadline = time.monotonic() + 120
    while not os.path.exists(os.path.join(broken, "run.h5")) and time.monotonic() < deadline:
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)
    job.wait()
    out = os.path.join(folder, "early")
    report(broken, "-o", out)
    check("not reached its test" in open(os.path.join(out, "report.html"), encoding="utf-8").read(), "an early run")

    nothing = os.path.join(folder, "nothing.h5")
    open(nothing, "w").close()
    check("nothing.h5" in report(nothing, "-o", out, code=1), "a file that is no run is not named")
    check("absent" in report(os.path.join(folder, "absent"), "-o", out, code=1), "a missing run is not named")
    print(f"* {len(names)} pictures of one run, {len(more)} of two; the page of one has {len(page) // 1024} KiB")
