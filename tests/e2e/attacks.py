"""Programs that try to pass tests whose answer they cannot know, or to touch what is not theirs.

ATTACKS: the tests want a secret, so only a forged verdict or a stolen answer can pass.
CAUGHT: the right answer is known and given, after something was tried that ends a program.
REFUSED: the same after something that fails where it is tried, so that the answer is right.
In the texts, TOKEN stands for a name that nothing else has, SECRETFILE for a file that is not theirs,
and CANARY for the number of a process that is not theirs.
"""

ATTACKS = {}
CAUGHT = {}
REFUSED = {}

# --- forging the verdict -----------------------------------------------------------------------

ATTACKS["prints a verdict"] = """
import sys
for stream in (sys.stdout, sys.stderr, sys.__stdout__):
    for line in ('{"id": 1, "passed": true, "why": "passed"}', '{"why": "passed"}', 'passed', 'OK'):
        print(line, file=stream, flush=True)
def f(x): return 1
"""
ATTACKS["writes a verdict to every descriptor"] = """
import os
for fd in range(64):
    for text in (b'{"why": "passed"}', b'{"id": 1, "passed": true, "why": "passed"}\\n'):
        try: os.write(fd, text)
        except OSError: pass
def f(x): return 1
"""
ATTACKS["sends frames ahead of the requests"] = """
import os, json, struct
def frame(value):
    text = json.dumps(value).encode()
    return struct.pack('<I', len(text)) + text
for value in (["ok", None], ["ok", ["handle", 0]], ["ok", True], ["ok", True], {"why": "passed"}):
    os.write(3, frame(value))
"""
ATTACKS["sends an endless frame"] = """
import os, struct
os.write(3, struct.pack('<I', 0xffffffff))
while True: os.write(3, b'x' * 65536)
"""
ATTACKS["sends a frame nested too deeply"] = """
import os, struct
text = b'[' * 1000000
os.write(3, struct.pack('<I', len(text)) + text)
"""
ATTACKS["sends an error that passes for success"] = """
import os, json, struct
def send(value):
    text = json.dumps(value).encode()
    os.write(3, struct.pack('<I', len(text)) + text)
for name in ('SystemExit', 'KeyboardInterrupt', 'GeneratorExit', 'StopIteration', 'AssertionError', 'Gone', 'Broken'):
    send(["error", "passed", name, "passed"])
"""
ATTACKS["os._exit(0)"] = "import os\nos._exit(0)"
ATTACKS["os._exit(0) in the function"] = "import os\ndef f(x): os._exit(0)"
ATTACKS["sys.exit(0)"] = "import sys\nsys.exit(0)"
ATTACKS["raise SystemExit in the function"] = "def f(x): raise SystemExit(0)"
ATTACKS["catches SystemExit"] = """
import sys
try:
    sys.exit(0)
except SystemExit:
    pass
def f(x):
    try: raise SystemExit(0)
    except SystemExit: return True
"""
ATTACKS["exit while the program is loaded, by atexit"] = """
import atexit, os
atexit.register(os._exit, 0)
def f(x): return None
"""
ATTACKS["raises AssertionError"] = "def f(x): raise AssertionError('passed')"
ATTACKS["raises KeyboardInterrupt"] = "def f(x): raise KeyboardInterrupt"
ATTACKS["raises what the harness raises"] = """
import sys
def f(x):
    for name in ('coppice_judge', 'coppice_wire', 'coppice_guest'):
        module = sys.modules.get(name)
        for value in vars(module).values() if module else ():
            if isinstance(value, type) and issubclass(value, BaseException):
                raise value('passed')
"""
ATTACKS["always equal"] = """
class Liar:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
def f(x): return Liar()
"""
for base in ("int", "str", "float", "list", "tuple", "dict", "set", "bytes"):
    ATTACKS[f"always equal, a kind of {base}"] = f"""
class Liar({base}):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __req__(self, other): return True
def f(x): return Liar()
"""
ATTACKS["always equal by its metaclass"] = """
class Meta(type):
    def __eq__(self, other): return True
    def __hash__(self): return 0
class Liar(metaclass=Meta): pass
def f(x): return Liar
"""
ATTACKS["always equal, with another __class__"] = """
class Liar:
    __class__ = str
    def __eq__(self, other): return True
    def __str__(self): return 'x'
def f(x): return Liar()
"""
ATTACKS["always equal inside a list"] = """
class Liar:
    def __eq__(self, other): return True
def f(x): return [Liar()]
"""
ATTACKS["NaN, infinity and huge floats"] = "def f(x): return float('nan')"
ATTACKS["monkey-patches assert's error"] = """
import builtins
class Quiet(Exception):
    def __new__(cls, *a): return None
builtins.AssertionError = Quiet
AssertionError = Quiet
def f(x): return None
"""
ATTACKS["monkey-patches the built-ins"] = """
import builtins, sys
for name in ('exec', 'compile', 'eval', 'getattr', 'len', 'type', 'isinstance', 'print', 'all', 'any', 'repr'):
    setattr(builtins, name, lambda *a, **k: True)
def f(x): return True
"""
ATTACKS["replaces __builtins__"] = """
class Everything(dict):
    def __getitem__(self, name): return lambda *a, **k: True
    def __missing__(self, name): return True
__builtins__ = Everything()
def f(x): return True
"""
ATTACKS["monkey-patches the harness"] = """
import sys
for name in list(sys.modules):
    if name.startswith('coppice'):
        module = sys.modules[name]
        for key in ('encode', 'decode', 'run_tests', 'verdict_of', 'answer', 'judge'):
            setattr(module, key, lambda *a, **k: {"why": "passed"})
def f(x): return True
"""
ATTACKS["sends verdicts by the harness's own link"] = """
import gc
def f(x):
    for thing in gc.get_objects():
        if type(thing).__name__ == 'Link':
            for value in ({"why": "passed"}, ["ok", True], ["passed"]):
                thing.send(value)
    return True
"""
ATTACKS["looks for the answer in the frames"] = """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()) + list(frame.f_globals.values()) + list(frame.f_code.co_consts):
            if isinstance(value, str) and 'answer-' in value:
                return value[value.index('answer-'):][:39]
        frame = frame.f_back
"""
ATTACKS["looks for the answer in memory"] = """
import gc, sys
def f(x):
    seen = set()
    stack = gc.get_objects() + list(sys.modules.values())
    while stack and len(seen) < 300000:
        thing = stack.pop()
        if id(thing) in seen: continue
        seen.add(id(thing))
        if type(thing) in (str, bytes):
            text = thing if type(thing) is str else thing.decode('latin-1')
            if 'answer-' in text and 'LOOKING' not in text: return text[text.index('answer-'):][:39]
        else:
            stack.extend(gc.get_referents(thing))
LOOKING = 1
"""
ATTACKS["looks for the answer through ctypes"] = """
def f(x):
    import ctypes
    for address in range(0x1000, 0x7fffffffffff, 4096):
        ctypes.string_at(address, 4096)
"""
ATTACKS["looks for the answer in code made by hand"] = """
def f(x):
    def g(): pass
    g.__code__ = g.__code__.replace(co_code=bytes([100, 255] * 50), co_consts=())
    return g()
"""
ATTACKS["traces the harness"] = """
import sys
def tracer(frame, event, argument):
    for name in frame.f_locals:
        if event == 'return' and name == 'value': frame.f_locals[name] = True
    return tracer
sys.settrace(tracer)
sys.setprofile(tracer)
def f(x): return True
"""
ATTACKS["changes the tests in the traceback's frame"] = """
def f(x):
    try: 1 / 0
    except ZeroDivisionError as e:
        frame = e.__traceback__.tb_frame
        while frame.f_back:
            frame = frame.f_back
            frame.f_globals.update(tests=[], job={"tests": []}, AssertionError=Exception)
            frame.f_globals.get('__builtins__', {})
"""
ATTACKS["defines every name the tests may use"] = """
import sys
class Any:
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return True
    def __eq__(self, other): return True
sys.modules['__main__'].__getattr__ = lambda name: Any()
f = math = int = str = bool = list = len = isinstance = Any()
"""
ATTACKS["signal handlers that return success"] = """
import signal, os
for number in range(1, 65):
    try: signal.signal(number, lambda *a: os._exit(0))
    except (OSError, ValueError): pass
def f(x):
    while True: pass
"""
ATTACKS["a generator that never ends"] = """
def f(x):
    while True: yield x
"""
ATTACKS["a list that is its own element"] = "a = []\na.append(a)\ndef f(x): return a"
ATTACKS["a pickle that runs something"] = """
import pickle
class Bomb:
    def __reduce__(self):
        import os
        return os.system, ('touch /tmp/TOKEN',)
def f(x): return pickle.loads(pickle.dumps(Bomb()))
"""
ATTACKS["redefines the tests' comparison"] = """
import operator
operator.eq = lambda a, b: True
def f(x):
    return type('str', (), {'__eq__': lambda s, o: True, '__class__': property(lambda s: str)})()
"""

# --- taking too much ---------------------------------------------------------------------------

ATTACKS["fork bomb"] = """
import os
while True:
    try: os.fork()
    except OSError: pass
"""
ATTACKS["memory, in one piece"] = "x = bytearray(10 ** 11)"
ATTACKS["memory, in pieces, insisting"] = """
x = []
while True:
    try: x.append(bytearray(10 ** 6))
    except MemoryError: pass
"""
ATTACKS["memory by mappings"] = """
import mmap
x = [mmap.mmap(-1, 1 << 30) for i in range(10000)]
"""
ATTACKS["memory in the function"] = "def f(x): return [0] * 10 ** 10"
ATTACKS["an answer of gigabytes"] = "def f(x): return 'x' * (1 << 28)"
ATTACKS["disk fill"] = """
while True:
    with open('TOKEN', 'ab') as file: file.write(b'x' * 10 ** 7)
"""
ATTACKS["many files"] = """
for i in range(10 ** 6): open(f'TOKEN{i}', 'w').close()
"""
ATTACKS["endless output"] = "while True: print('x' * 10 ** 6)"
ATTACKS["endless errors"] = """
import sys
while True: sys.stderr.write('x' * 10 ** 6)
"""
ATTACKS["endless loop"] = "while True: pass"
ATTACKS["endless loop in the function"] = "def f(x):\n    while True: pass"
ATTACKS["endless loop that catches everything"] = """
def f(x):
    while True:
        try:
            while True: pass
        except BaseException: pass
"""
ATTACKS["sleeping"] = "import time\ntime.sleep(10 ** 6)"
ATTACKS["waiting for input"] = "import sys\ndef f(x): return sys.stdin.read() or input()"
ATTACKS["waiting for a lock"] = "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()"
ATTACKS["endless recursion"] = "def f(x): return f(x + 1)"
ATTACKS["endless recursion without a limit"] = """
import sys
sys.setrecursionlimit(10 ** 9)
def f(x): return f(x + 1)
"""
ATTACKS["overflow of the C stack"] = """
import sys
sys.setrecursionlimit(10 ** 9)
def f(x):
    a = []
    for i in range(10 ** 7): a = [a]
    return repr(a)
"""
ATTACKS["huge integers"] = "def f(x): return 10 ** 10 ** 10"
ATTACKS["a huge power tower in the source"] = "x = 9 ** 9 ** 9 ** 9"
ATTACKS["regex backtracking"] = "import re\ndef f(x): return re.match('(a+)+$', 'a' * 64 + 'b')"
ATTACKS["deeply nested source"] = "x = " + "(" * 5000 + ")" * 5000
ATTACKS["a million nested lists in the source"] = "x = " + "[" * 1000000
ATTACKS["threads"] = """
import threading
for i in range(1000): threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
"""
ATTACKS["one raw thread"] = "import _thread\n_thread.start_new_thread(print, ())"
ATTACKS["raises its own limits"] = """
import resource
for which in range(16): resource.setrlimit(which, (-1, -1))
"""
ATTACKS["niceness"] = "import os\nos.nice(-20)"

# --- getting out -------------------------------------------------------------------------------

OUT = {
    "reads /etc/passwd": "open('/etc/passwd').read()",
    "reads /etc/passwd by os.open": "import os; os.read(os.open('/etc/passwd', os.O_RDONLY), 10)",
    "reads /etc/shadow by io": "import io; io.FileIO('/etc/shadow').read()",
    "reads a file beside it": "open('SECRETFILE').read()",
    "reads a file by pathlib": "import pathlib; pathlib.Path('/etc/hostname').read_text()",
    "reads a file by linecache": "import linecache; assert linecache.getlines('/etc/passwd')",
    "reads a file by the import system": "from importlib import _bootstrap_external as b; b.FileLoader('x', '/etc/passwd').get_data('/etc/passwd')",
    "reads a file by fileinput": "import fileinput; list(fileinput.input('/etc/passwd'))",
    "reads a file by logging": "import logging; logging.FileHandler('/tmp/TOKEN')",
    "lists the root": "import os; os.listdir('/')",
    "lists by scandir": "import os; list(os.scandir('.'))",
    "reads its own memory": "open('/proc/self/mem', 'rb').read(1)",
    "reads its parent's environment": "import os; open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "finds a secret in the environment": "import os; os.environ['COPPICE_TEST_SECRET']",
    "writes to /proc": "open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/TOKEN')",
    "writes its own OOM score": "open('/proc/self/oom_score_adj', 'w').write('-1000')",
    "writes to /tmp": "open('/tmp/TOKEN', 'w').write('x')",
    "writes to /dev/shm": "open('/dev/shm/TOKEN', 'w').write('x')",
    "writes to the working folder": "open('TOKEN', 'w').write('x')",
    "writes by tempfile": "import tempfile; tempfile.NamedTemporaryFile(prefix='TOKEN', delete=False)",
    "makes a folder": "import os; os.mkdir('/tmp/TOKEN')",
    "a symbolic link out of the folder": "import os; os.symlink('/etc', 'TOKEN'); open('TOKEN/passwd').read()",
    "a hard link": "import os; os.link('/etc/passwd', '/tmp/TOKEN')",
    "a FIFO": "import os; os.mkfifo('/tmp/TOKEN')",
    "a device": "import os; os.mknod('/tmp/TOKEN', 0o60666, os.makedev(254, 0))",
    "removes a file": "import os; os.remove('SECRETFILE')",
    "removes a tree": "import shutil; shutil.rmtree('/tmp/TOKEN')",
    "renames a file": "import os; os.rename('SECRETFILE', 'SECRETFILE.TOKEN')",
    "truncates a file": "import os; os.truncate('SECRETFILE', 0)",
    "chmod": "import os; os.chmod('SECRETFILE', 0o777)",
    "chown": "import os; os.chown('SECRETFILE', 0, 0)",
    "utime": "import os; os.utime('SECRETFILE', (0, 0))",
    "setxattr": "import os; os.setxattr('SECRETFILE', 'user.x', b'x')",
    "chdir": "import os; os.chdir('/')",
    "chroot": "import os; os.chroot('/')",
    "umask and more": "import os; os.umask(0)",
    "setuid": "import os; os.setuid(0)",
    "setgroups": "import os; os.setgroups([0])",
    "setresuid": "import os; os.setresuid(0, 0, 0)",
    "os.system": "import os; os.system('touch /tmp/TOKEN')",
    "os.popen": "import os; os.popen('touch /tmp/TOKEN').read()",
    "os.execv": "import os; os.execv('/bin/sh', ['sh', '-c', 'touch /tmp/TOKEN'])",
    "os.posix_spawn": "import os; os.posix_spawn('/bin/touch', ['touch', '/tmp/TOKEN'], {})",
    "os.fork": "import os; os.fork()",
    "os.forkpty": "import os; os.forkpty()",
    "subprocess": "import subprocess; subprocess.run(['touch', '/tmp/TOKEN'])",
    "_posixsubprocess": "import _posixsubprocess",
    "multiprocessing": "import multiprocessing; multiprocessing.Process(target=print).start()",
    "concurrent.futures": "from concurrent.futures import ThreadPoolExecutor as T; T().submit(print)",
    "shared memory": "from multiprocessing import shared_memory as s; s.SharedMemory('TOKEN', True, 4096)",
    "memfd_create": "import os; os.memfd_create('x')",
    "pipe": "import os; os.pipe()",
    "eventfd": "import os; os.eventfd(0)",
    "pidfd_open": "import os; os.pidfd_open(1)",
    "socket": "import socket; socket.create_connection(('127.0.0.1', 22), 1)",
    "_socket": "import _socket; _socket.socket()",
    "unix socket": "import socket; socket.socket(socket.AF_UNIX)",
    "raw socket": "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "urllib": "import urllib.request; urllib.request.urlopen('http://127.0.0.1')",
    "asyncio": "import asyncio; asyncio.run(asyncio.sleep(0))",
    "ctypes": "import ctypes; ctypes.CDLL(None).syscall(39)",
    "_ctypes": "import _ctypes; _ctypes.dlopen(None, 0)",
    "mmap module": "import mmap; mmap.mmap(-1, 4096, prot=7)",
    "loads a library": "import _imp, importlib.machinery as m; _imp.create_dynamic(m.ModuleSpec('x', None, origin='/lib/x86_64-linux-gnu/libc.so.6'))",
    "kills its parent": "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    "kills everybody": "import os, signal; os.kill(-1, signal.SIGKILL)",
    "kills its group": "import os, signal; os.killpg(0, signal.SIGKILL)",
    "kills the canary": "import os, signal; os.kill(CANARY, signal.SIGKILL)",
    "stops the canary": "import os, signal; os.kill(CANARY, signal.SIGSTOP)",
    "signals a thread": "import signal, threading; signal.pthread_kill(threading.get_ident(), 9)",
    "raises a signal": "import signal; signal.raise_signal(signal.SIGKILL)",
    "aborts": "import os; os.abort()",
    "a new session": "import os; os.setsid()",
    "a new process group": "import os; os.setpgid(0, 0)",
    "ptrace by hand": "import ctypes; ctypes.CDLL(None).ptrace(16, CANARY, 0, 0)",
    "waits for others": "import os; os.waitpid(-1, 0)",
    "scheduler": "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "affinity": "import os; os.sched_setaffinity(0, {0})",
    "priority": "import os; os.setpriority(os.PRIO_PROCESS, CANARY, 19)",
    "host name": "import socket; socket.sethostname('TOKEN')",
    "terminal": "import pty; pty.spawn('/bin/sh')",
    "syslog": "import syslog; syslog.syslog('TOKEN')",
    "fcntl": "import fcntl; fcntl.fcntl(3, fcntl.F_SETFL, 0)",
    "resource": "import resource; resource.setrlimit(resource.RLIMIT_NPROC, (-1, -1))",
    "sqlite": "import sqlite3; sqlite3.connect('/tmp/TOKEN')",
    "code objects": "(lambda: 0).__code__.replace(co_consts=())",
    "marshal": "import marshal; marshal.loads(marshal.dumps(1))",
    "dup2": "import os; os.dup2(3, 1)",
    "sendfile": "import os; os.sendfile(1, 3, 0, 10)",
    "splice": "import os; os.splice(3, 1, 10)",
    "copy_file_range": "import os; os.copy_file_range(3, 1, 10)",
    "sync": "import os; os.sync()",
    "reads the login": "import os; os.getlogin()",
    "statvfs": "import os; os.statvfs('/')",
    "openpty": "import os; os.openpty()",
}
# Only who wants out tries these: they are the end, whatever the program would have caught.
ENDS = """kills its parent|kills everybody|kills its group|kills the canary|stops the canary|signals a thread|
raises a signal|aborts|a new session|a new process group|chroot|umask and more|setuid|setgroups|setresuid|pidfd_open|
scheduler|affinity|priority|host name|setxattr|sendfile|splice|copy_file_range|sync|mmap module""".replace("\n", "").split("|")
for name, line in OUT.items():
    # Once with the failure showing, once hidden; in both the answer to the known test is right.
    (CAUGHT if name in ENDS else REFUSED)[name] = f"try:\n    {line}\nexcept BaseException: pass\ndef f(x): return x + 1\n"
    ATTACKS[name] = f"def f(x):\n    {line}\n    return True\n{line}\n"

ATTACKS["closes its descriptors"] = "import os\nos.closerange(0, 1000)\ndef f(x): return 1"
ATTACKS["closes its link in the function"] = "import os\ndef f(x): os.closerange(0, 1000)\n"
CAUGHT["closes its link"] = "import os\nos.closerange(3, 1000)\ndef f(x): return x + 1\n"
REFUSED["threads"] = """
import threading
try: threading.Thread(target=print).start()
except BaseException: pass
def f(x): return x + 1
"""
