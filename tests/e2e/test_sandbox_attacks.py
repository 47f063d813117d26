#!/usr/bin/env python3
"""Programs that try to forge a verdict, take too much or get out: each is a wrong answer, nothing
outside changes, and processes beside them live. As root and as an ordinary user, with namespaces and
where the kernel grants none."""
import os
import shutil
import subprocess
import sys
import tempfile
import uuid

import attacks
import lib
import sandbox
import surroundings


def places():
    return ["/", "/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), lib.TOP, os.getcwd(), tempfile.gettempdir()]


def try_all(name, settings, token, secret_file, canary):
    def made(text):
        return text.replace("TOKEN", token).replace("SECRETFILE", secret_file).replace("CANARY", str(canary.pid))

    answer = "answer-" + uuid.uuid4().hex
    # The secret is made of parts, so that a text of the test itself shows no more than the test.
    requests = [sandbox.request("attack " + key, made(text), [f"assert f(2) == {answer!r}"])
                for key, text in attacks.ATTACKS.items()]
    requests += [sandbox.request("caught " + key, made(text), ["assert f(2) == 3"])
                 for key, text in attacks.CAUGHT.items()]
    requests += [sandbox.request("refused " + key, made(text), ["assert f(2) == 3"], timeout=20)
                 for key, text in attacks.REFUSED.items()]
    requests += [sandbox.request(f"sound {i}", "def f(x): return x + 1", ["assert f(2) == 3"], timeout=20)
                 for i in range(3)]
    for one in requests:
        one.setdefault("timeout", 0.7)
    answers = sandbox.run(requests, ["--jobs", "3"], **settings)
    reasons = {}
    wrong = [f"{key}: {verdict}" for key, verdict in answers.items()
             if verdict.get("passed") != key.startswith(("sound", "refused"))]
    wrong += [f"{key}: {verdict}" for key, verdict in answers.items()
              if key.startswith("caught") and verdict["why"] not in ("forbidden", "exit", "killed", "memory")]
    lib.check(not wrong, f"{name}: " + "\n".join(wrong))
    for key, verdict in answers.items():
        reasons.setdefault(verdict["why"], []).append(key)
    print(f"{name}: " + ", ".join(f"{len(keys)} {why}" for why, keys in sorted(reasons.items())))
    return len(requests) - 3 - len(attacks.REFUSED)


def main():
    token = "coppice-attack-" + uuid.uuid4().hex
    folder = tempfile.mkdtemp(prefix="coppice-test-")
    secret_file = os.path.join(folder, "secret")
    with open(secret_file, "w", encoding="ascii") as file:
        file.write("untouched")
    os.chmod(folder, 0o777)
    os.chmod(secret_file, 0o666)
    os.utime(secret_file, (1e9, 1e9))
    canary = subprocess.Popen([sys.executable, "-c", "import time\ntime.sleep(100000)"])
    os.environ["COPPICE_TEST_SECRET"] = "secret"
    before = os.stat(secret_file)
    try:
        tried = 0
        for name, settings in surroundings.all_of_them():
            tried = try_all(name, dict(settings, cwd=folder), token, secret_file, canary)
            with open(f"/proc/{canary.pid}/stat", encoding="ascii") as file:
                lib.check(file.read().rsplit(")", 1)[1].split()[0] == "S", f"{name}: the canary does not sleep")
            after = os.stat(secret_file)
            lib.check((after.st_mtime, after.st_mode, after.st_size, after.st_uid, after.st_nlink) ==
                      (before.st_mtime, before.st_mode, before.st_size, before.st_uid, before.st_nlink),
                      f"{name}: the file beside it was changed")
            lib.check(os.listdir(folder) == ["secret"], f"{name}: the folder was changed: {os.listdir(folder)}")
            for place in places():
                found = [entry for entry in os.listdir(place) if token in entry]
                lib.check(not found, f"{name}: {place} now has {found}")
        lib.check(canary.poll() is None, "the canary died")
        print(f"* {tried} attacks, all of them wrong answers, and {len(attacks.REFUSED)} tries that fail where they are made")
    finally:
        canary.kill()
        canary.wait()
        shutil.rmtree(folder)


main()
