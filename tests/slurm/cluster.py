#!/usr/bin/env python3
"""A Slurm cluster of several nodes on one machine, for as long as a command runs.

  tests/slurm/cluster.py [--nodes N] [--cpus N] COMMAND...

The command runs as on the cluster's login node: sbatch, squeue and the rest work and know of no
other Slurm. When it ends, however it ends, nothing of the cluster is left. For a look around:
`tests/slurm/cluster.py bash`.

How: this process enters namespaces of its own (processes, network, mounts, host name) and starts
slurmctld there; each node is a set of namespaces below these, joined to it by a bridge, with a
slurmd and a private /proc, /dev/shm and scratch folder. All share the file system. Neither the
network nor the daemons of the machine are touched. Nodes authenticate each other by nothing at all
(auth/none), which is why no munge is needed: the network has no way out.

Needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN), slurmctld, slurmd, util-linux, iproute2. Exit code 77
and a line "skip: REASON" where that is not given or the cluster does not come up; else that of the
command.

As a module: power_off(), power_on(), node_names() for use by tests below the command.
"""
import argparse
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.environ.get("COPPICE_CLUSTER", "")  # set below the command
DISK = os.path.join(FOLDER, "disk")  # small, and seen by all nodes
DISK_MB = 8
NETWORK = "10.99.0"  # inside the cluster's own network namespace
HEAD = NETWORK + ".254"
TOOLS = ("slurmctld", "slurmd", "sbatch", "srun", "unshare", "ip", "hostname", "taskset")

SLURM_CONF = """\
ClusterName=coppice
SlurmctldHost=head({head})
SlurmctldPort=7817
SlurmdPort=7818
SlurmUser=root
AuthType=auth/none
CredType=cred/none
# a requeued job may start again after that many seconds
AuthInfo=cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/local/spool
TmpFS={folder}/local
SlurmctldPidFile={folder}/state/slurmctld.pid
SlurmdPidFile={folder}/local/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld
SlurmdLogFile={folder}/log/%n
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1,sched_min_interval=100000
SlurmdParameters=config_overrides
GresTypes=gpu
JobRequeue=1
ReturnToService=2
SlurmdTimeout=8
MessageTimeout=6
KillWait=5
MinJobAge=3600
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=node[1-{nodes}] NodeAddr={network}.[1-{nodes}] CPUs={cpus} Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=0 State=UP
PartitionName=graceful Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE GraceTime=20 State=UP
PartitionName=urgent Nodes=ALL PriorityTier=9 PreemptMode=OFF State=UP
"""


def until(seconds, what, condition):
    """Waits for condition() to be true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


# --- nodes; these run in the head's namespaces ---

def node_names():
    return [f"node{i + 1}" for i in range(int(read(os.path.join(FOLDER, "nodes"))))]


def pid_file(name):
    return os.path.join(FOLDER, "run", name)


def alive(pid):
    try:
        return read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def node_pid(name):
    """Process 1 of a node as the head sees it; 0 when the node is off."""
    try:
        pid = int(read(pid_file(name)))
    except OSError:
        return 0
    return pid if alive(pid) else 0


def power_off(name):
    """The node is gone at once, with every process on it."""
    pid = node_pid(name)
    if pid:
        os.kill(pid, signal.SIGKILL)
        until(20, f"{name} going off", lambda: not alive(pid))
    if os.path.exists(pid_file(name)):
        os.unlink(pid_file(name))


def ip(*commands, inside=0):
    """Commands of ip, in the network of process `inside` or here."""
    prefix = ["nsenter", "--target", str(inside), "--net"] if inside else []
    subprocess.run(prefix + ["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)


def connect(name, pid):
    number = name[len("node"):]
    subprocess.run(["ip", "link", "delete", "to-" + name], stderr=subprocess.DEVNULL)
    ip(f"link add to-{name} type veth peer name eth0 netns {pid}",
       f"link set to-{name} master bridge up")
    ip("link set lo up", f"addr add {NETWORK}.{number}/24 dev eth0", "link set eth0 up", inside=pid)


def power_on(name):
    """Starts a node that is off. Slurm takes it back by itself when its slurmd has registered."""
    if node_pid(name):
        return
    cpu = int(name[len("node"):]) % os.cpu_count()
    with open(os.path.join(FOLDER, "log", name + ".init"), "a") as log:
        # Each node has one processor to itself as far as they go: programs that bind themselves
        # would else all sit on processor 0.
        process = subprocess.Popen(
            ["taskset", "-c", str(cpu), "unshare", "--pid", "--fork", "--kill-child", "--mount",
             "--net", "--uts", "--ipc", "sh", os.path.join(HERE, "node.sh"), name, FOLDER],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    until(20, f"{name} starting", lambda: read(children).split())
    pid = int(read(children).split()[0])
    write(pid_file(name), str(pid))
    connect(name, pid)


def slurm(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout if done.returncode == 0 else ""


def ready(names):
    """All these nodes answer and can take jobs."""
    states = dict(line.split() for line in slurm("sinfo", "-h", "-N", "-o", "%N %T").splitlines())
    return all(states.get(name) in ("idle", "mixed", "allocated", "completing") for name in names)


# --- the cluster ---

def write_files(nodes, cpus):
    for part in ("etc", "log", "run", "state", "local", "tmp", "disk"):
        os.mkdir(os.path.join(FOLDER, part))
    write(os.path.join(FOLDER, "nodes"), str(nodes))
    hosts = [f"127.0.0.1 localhost", f"{HEAD} head"]
    hosts += [f"{NETWORK}.{i + 1} node{i + 1}" for i in range(nodes)]
    write(os.path.join(FOLDER, "etc", "hosts"), "\n".join(hosts) + "\n")
    write(os.path.join(FOLDER, "etc", "slurm.conf"),
          SLURM_CONF.format(folder=FOLDER, head=HEAD, network=NETWORK, nodes=nodes, cpus=cpus))
    # No control groups are used, but 22.05 insists on a plugin for them; this one asks for nothing.
    write(os.path.join(FOLDER, "etc", "cgroup.conf"), "CgroupPlugin=cgroup/v1\n")
    write(os.path.join(FOLDER, "etc", "gres.conf"), "Name=gpu Count=2 File=/dev/null,/dev/zero\n")


def start_head():
    subprocess.run(["hostname", "head"], check=True)
    for source, target in (("proc", "/proc"), ("tmpfs", "/dev/shm")):
        subprocess.run(["mount", "-t", source, source, target], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", DISK], check=True)
    hosts = os.path.join(FOLDER, "etc", "hosts")
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    ip("link set lo up", "link add bridge type bridge", f"addr add {HEAD}/24 dev bridge",
       "link set bridge up")
    with open(os.path.join(FOLDER, "log", "slurmctld.init"), "w") as log:
        subprocess.Popen(["slurmctld", "-D"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    until(30, "slurmctld starting", lambda: " UP" in slurm("scontrol", "ping"))


def bring_up(options):
    write_files(options.nodes, options.cpus)
    start_head()
    for name in node_names():
        power_on(name)
    until(60, "all nodes up", lambda: ready(node_names()))


def last_words():
    """The end of each daemon's log."""
    for name in sorted(os.listdir(os.path.join(FOLDER, "log"))):
        for line in read(os.path.join(FOLDER, "log", name)).splitlines()[-5:]:
            print(f"  {name}: {line}")


def run_inside(options):
    """Process 1 of the cluster's namespaces: when it ends, the kernel ends all of them."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    try:
        bring_up(options)
    except (OSError, TimeoutError, subprocess.SubprocessError) as failure:
        print(f"skip: the Slurm cluster does not come up: {failure}")
        last_words()
        return 77
    command = subprocess.Popen(options.command)
    while True:  # orphans of all kinds end here, too
        pid, status = os.wait()
        if pid == command.pid:
            return os.waitstatus_to_exitcode(status) % 256


def reason_to_skip():
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not installed (sh .ci/deps slurm)"
    if os.getuid() != 0:
        return "not root"
    probe = subprocess.run(["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "ip", "link",
                            "add", "bridge", "type", "bridge"], stderr=subprocess.PIPE, text=True)
    if probe.returncode != 0:
        return "no namespaces with a network here: " + probe.stderr.strip()
    return None


def die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


def run_outside(options):
    """Makes the folder, enters the namespaces, removes the folder."""
    folder = tempfile.mkdtemp(prefix="coppice-slurm-")
    os.chmod(folder, 0o755)
    environment = dict(os.environ, COPPICE_CLUSTER=folder,
                       SLURM_CONF=os.path.join(folder, "etc", "slurm.conf"))
    environment["TMPDIR"] = os.path.join(folder, "tmp")  # gone with the cluster, whatever happens
    environment["PATH"] += ":/usr/sbin:/sbin"
    inside = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--net", "--uts",
         "--ipc", sys.executable, os.path.abspath(__file__), "--nodes", str(options.nodes), "--cpus",
         str(options.cpus), *options.command], env=environment, preexec_fn=die_with_parent)

    def stop(*_):
        inside.kill()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN if sys.stdin.isatty() else stop)
    code = inside.wait()
    try:
        if options.keep_logs:
            shutil.copytree(os.path.join(folder, "log"), options.keep_logs, dirs_exist_ok=True)
    finally:
        shutil.rmtree(folder)
    return code if code >= 0 else 128 - code


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--cpus", type=int, default=8, help="that each node claims to have")
    parser.add_argument("--keep-logs", metavar="DIR", help="copy the daemons' logs there at the end")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.command[:1] == ["--"]:
        options.command = options.command[1:]
    if not options.command:
        parser.error("which command?")
    if FOLDER and os.getpid() == 1:
        return run_inside(options)
    reason = reason_to_skip()
    if reason:
        print("skip: no Slurm cluster: " + reason)
        return 77
    return run_outside(options)


if __name__ == "__main__":
    sys.exit(main())
