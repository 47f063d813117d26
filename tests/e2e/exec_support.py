"""For tests of task exec: commands that do right or wrong, and what is left of them."""
import os
import sys
import time

PYTHON = sys.executable

# Scores as the task arith does, and misbehaves as told: argv is MARKER KIND AFTER FOLDER. Each
# process does AFTER requests well. KIND "mixed" goes through all kinds, a process each. Each has
# a daemon: a session of its own, whose parent is gone and which is deaf to SIGTERM.
SCORER = r'''
import concurrent.futures, json, os, random, re, signal, sys, threading, time
marker, kind, after, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
if kind == "mixed":
    with open(os.path.join(folder, "starts"), "a+") as file:
        file.write("x")
        file.flush()
        kind = ["crash", "garbage", "silence", "twice", "kill", "nan"][file.tell() % 6]
DAEMON = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
parent = os.fork()
if parent == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 3)
        os.execv(sys.executable, [sys.executable, "-S", "-c", DAEMON, marker, "daemon"])
    os._exit(0)
os.waitpid(parent, 0)
number = re.compile(r"-?[.,]*[0-9][0-9.,]*")

def answer_to(request):
    text = request["response"][-300:]
    marked = re.findall("#### (" + number.pattern + ")", text)
    found = re.sub("^(-?)[.,]{2,}", r"\1", (marked or number.findall(text) or [""])[-1])
    found = found.replace(",", "").rstrip(".")
    return json.dumps({"id": request["id"], "reward": float(found == request["answer"])})

def answer_later(answer):
    time.sleep(random.random() * 0.003)
    with lock:
        print(answer, flush=True)

lock = threading.Lock()
pool = concurrent.futures.ThreadPoolExecutor(16)
for count, line in enumerate(sys.stdin):
    request = json.loads(line)
    answer = answer_to(request)
    if kind == "broken" and os.path.exists(os.path.join(folder, "broken")):
        sys.exit("the judge is not at home")
    if kind == "slow":
        time.sleep(0.05)
    if kind == "shuffled":
        pool.submit(answer_later, answer)
        continue
    if count >= after:
        if kind == "crash":
            print("row", request["id"], "was too much", file=sys.stderr)
            sys.exit(3)
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "garbage":
            answer = "scored one"
        if kind == "nan":
            answer = json.dumps({"id": request["id"], "reward": float("nan")})
        if kind == "twice":
            answer += "\n" + answer
        if kind == "text":
            answer = json.dumps({"id": request["id"], "reward": "1"})
        if kind == "half":
            sys.stdout.write(answer[:8])
            sys.stdout.flush()
            sys.exit(0)
        if kind == "long":
            answer = " " * 3000000
        if kind == "silence":
            time.sleep(1000)
    print(answer, flush=True)
'''


def command(folder, marker, kind, after=0):
    path = os.path.join(folder, "scorer.py")
    if not os.path.exists(path):
        with open(path, "w") as file:
            file.write(SCORER)
    return [PYTHON, path, marker, kind, str(after), folder]


def processes(marker, word=""):
    """Processes, zombies aside, that have the marker, and the other word if any, as words of their command line."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if (marker.encode() in words and b"mpirun" not in words[0] and b"coppice" != words[0].split(b"/")[-1]
                and (not word or word.encode() in words)):
            found.append(int(name))
    return found


def gone(marker, seconds=5):
    end = time.monotonic() + seconds
    while processes(marker) and time.monotonic() < end:
        time.sleep(0.05)
    return not processes(marker)
