#!/usr/bin/env python3
"""What the program opens before it computes, as the loader tells it (LD_DEBUG=files): nothing for GPUs where
the processor is asked for or no device file exists, the plug-in where one does. And that it starts once, with
threads that wait well and the environment that it was given."""
import glob
import os
import re
import shutil
import subprocess

from lib import COPPICE, DEMO, ENV, MODEL, PLUGIN, QUICK, TOP, check, need_emulated_plugin, scratch

EMULATED = need_emulated_plugin()
# Libraries of drivers, and plug-ins of hwloc that open them. libOpenCL.so itself is no driver: Debian's
# oneDNN is linked with it.
OF_GPUS = re.compile(r"libcuda|libnvidia|libcublas|nvml|XNVCtrl|libX11|librsmi|librocm|libamdhip|libze_|level_?zero|"
                     r"hwloc_(cuda|nvml|opencl|gl|rsmi|levelzero)|" + re.escape(PLUGIN))
THERE, GONE = os.devnull, "/nonexistent/nvidiactl"
PROMPT = '{"ids": [1, 2, 3]}\n'


def opened(folder, command, device, code=0, text_in=PROMPT):
    """Files of all objects that the command's processes were linked with or opened themselves."""
    said = os.path.join(folder, "loaded")
    environment = dict(ENV, LD_DEBUG="files", LD_DEBUG_OUTPUT=said, COPPICE_GPU_FILE=device)
    done = subprocess.run(command, input=text_in, capture_output=True, text=True, timeout=300, env=environment, cwd=TOP)
    check(done.returncode == code, f"{command}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    files = set()
    for path in glob.glob(said + ".*"):
        with open(path, encoding="utf-8", errors="replace") as lines:
            files.update(re.findall(r"calling init: (\S+)", lines.read()))
        os.remove(path)
    check(any("libc.so" in name for name in files), f"the loader does not tell what it opens: {files}")
    return {os.path.basename(name) for name in files if OF_GPUS.search(os.path.basename(name))}


def display(**environment):
    """What OpenMP's library says of its settings, and how often the program was started for it."""
    given = {"OMP_DISPLAY_ENV": "verbose", "PATH": ENV["PATH"], **environment}
    done = subprocess.run([COPPICE, "--version"], capture_output=True, text=True, timeout=60, env=given)
    check(done.returncode == 0, done.stderr)
    return re.findall(r"GOMP_SPINCOUNT = '(\w+)'", done.stderr)


with scratch() as folder:
    program = os.path.join(folder, "coppice")
    shutil.copy(COPPICE, program)
    shutil.copy(EMULATED, folder)
    shutil.copy(COPPICE + "-reaper", folder)
    generate = [program, "generate", "--model", MODEL, "--max-new-tokens", "2", "--backend"]
    check(opened(folder, [*generate, "auto"], THERE) == {PLUGIN}, "auto does not open the plug-in beside a device file")
    for kind, device in (("auto", GONE), ("cpu", THERE), ("cpu", GONE)):
        found = opened(folder, [*generate, kind], device)
        check(not found, f"{kind}, device file {device}: opens {found}")
    found = opened(folder, [*generate, "cuda"], GONE, code=5)
    check(not found, f"cuda without a device file opens {found}")
    small = ["population.size=2", "splits.support=4", "splits.probe=2", "splits.validate=4", "splits.test=4",
             "gate.allow_flat=true", "recenter.rounds=0", "generation.max_new_tokens=4", "consolidate.q=[0.5]", "consolidate.beta=[1]",
             "consolidate.scale=[1]", "consolidate.max_scale=1", "baselines.randopt=[1]", "baselines.self_consistency=[]"]
    for kind, device in (("auto", GONE), ("cpu", THERE)):
        settings = [part for one in [*QUICK, *small, f"backend.kind={kind}"] for part in ("-s", one)]
        found = opened(folder, [program, "run", DEMO, "--out", os.path.join(folder, kind), "--progress", "never", *settings],
                       device)
        check(not found, f"a job of kind {kind}, device file {device}: opens {found}")
    print("* no library for GPUs is opened without a device file, or for the processor")

    # How threads wait is settled before OpenMP starts, in one start of the program where there is
    # an entry to lend its place, in two otherwise; what the environment says of it stands.
    check(display(PWD="/") == ["2000"], f"with an entry to spare: {display(PWD='/')}")
    check(display()[-1:] == ["2000"], f"with no entry to spare: {display()}")
    check(display(PWD="/", GOMP_SPINCOUNT="7") == ["7"], "GOMP_SPINCOUNT does not stand")
    check("2000" not in display(PWD="/", OMP_WAIT_POLICY="passive"), "OMP_WAIT_POLICY does not stand")
    # Commands get the whole environment.
    saved = os.path.join(folder, "environment")
    given = {name: value for name, value in ENV.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    given.update(PWD=TOP, OLDPWD="/old", SHLVL="3", _="/lent")
    subprocess.run([COPPICE, "reward", "--task", "exec", "--", "sh", "-c", f"exec env >'{saved}'"], env=given, cwd=TOP,
                   input='{"response": "1", "answer": "1"}\n', capture_output=True, text=True, timeout=60)
    with open(saved, encoding="utf-8") as lines:
        got = set(lines.read().splitlines())
    check({f"PWD={TOP}", "OLDPWD=/old", "GOMP_SPINCOUNT=2000"} <= got, f"entries are lost: {sorted(got)}")
    print("* one start, and the environment that was given")
