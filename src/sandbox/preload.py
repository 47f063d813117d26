"""Loads what programs commonly import and keeps the code of the rest of the standard library, then takes
away the ways to load more: a program finds its modules in memory and needs no file."""
import gc
import importlib
import importlib.machinery
import io
import os
import pkgutil
import sys

# Loaded at once, so that importing them costs nothing.
MODULES = """
abc argparse array ast atexit base64 binascii bisect builtins calendar cmath codecs collections
collections.abc colorsys concurrent.futures.thread configparser contextlib contextvars copy copyreg csv
dataclasses datetime decimal difflib dis enum errno fileinput fnmatch fractions functools gc getopt glob
graphlib hashlib heapq hmac html html.entities html.parser importlib inspect io ipaddress itertools json
keyword linecache locale logging math numbers opcode operator optparse os os.path pathlib pickle
pickletools platform pprint queue random re reprlib sched secrets shlex shutil signal stat statistics
string stringprep struct sys tempfile textwrap threading time timeit token tokenize traceback types
typing unicodedata unittest urllib.parse uuid warnings weakref xml.etree.ElementTree zlib zoneinfo
doctest importlib.util selectors
__future__ _pylong _sha2 _strptime
encodings.aliases encodings.ascii encodings.base64_codec encodings.charmap encodings.cp1252
encodings.cp437 encodings.hex_codec encodings.idna encodings.iso8859_1 encodings.iso8859_15
encodings.latin_1 encodings.punycode encodings.raw_unicode_escape encodings.rot_13
encodings.unicode_escape encodings.utf_16 encodings.utf_16_be encodings.utf_16_le encodings.utf_32
encodings.utf_32_be encodings.utf_32_le encodings.utf_7 encodings.utf_8 encodings.utf_8_sig
"""

# Packages whose code nobody needs: programs with windows, tools, tests.
LEFT_OUT = ("test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "pydoc_data", "_pyrepl",
            "site", "sitecustomize", "usercustomize", "antigravity", "__main__", "__phello__")

# ctypes is a way out of Python, if not of the sandbox; _asyncio would load a whole package, which does
# without it; the others need a terminal or files.
KEPT_OUT = ("_ctypes", "ctypes", "_asyncio", "readline", "_tkinter", "_curses", "_curses_panel", "nis", "ossaudiodev", "_crypt",
            "_dbm", "_gdbm", "spwd")

UTC = b"TZif2" + bytes(15) + b"\0\0\0\0" * 4 + b"\0\0\0\1\0\0\0\4" + bytes(6) + b"UTC\0"


def is_wanted(name):
    return not any(part in LEFT_OUT or part.startswith("_test") or part.startswith("xx") for part in name.split("."))


class Store:
    """Texts outside of this process's own memory, so that a fork need not look after them. The mapping
    is private: nobody can change what others see of it."""

    def __init__(self):
        self.file = os.memfd_create("library")
        self.length = 0
        self.map = b""

    def add(self, data):
        place = self.length, self.length + len(data)
        with open(self.file, "wb", closefd=False) as file:
            file.seek(place[0])
            file.write(data)
        self.length = place[1]
        return place

    def close(self):
        mmap = importlib.import_module("mmap")
        if self.length:
            self.map = mmap.mmap(self.file, self.length, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        os.close(self.file)

    def get(self, place):
        return self.map[place[0]:place[1]]


class Library:
    """Imports modules from sources that are kept in memory."""

    def __init__(self, store):
        self.store = store
        self.kept = {}

    def keep(self, finder, name, package):
        """Keeps a module that is not loaded, if it is one of Python's own text. \return its file."""
        spec = finder.find_spec(name)
        if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            return None
        if name not in sys.modules:
            with open(spec.origin, "rb") as file:
                self.kept[name] = self.store.add(file.read()), package, spec.origin
        return spec.origin

    def find_spec(self, name, path=None, target=None):
        if name not in self.kept:
            return None
        _, package, origin = self.kept[name]
        spec = importlib.machinery.ModuleSpec(name, self, origin=origin, is_package=package)
        spec.has_location = True
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__spec__.name
        exec(self.get_code(name), module.__dict__)
        if name == "asyncio.selector_events":  # nobody wakes the loop from outside
            module.BaseSelectorEventLoop._make_self_pipe = lambda loop: None
            module.BaseSelectorEventLoop._close_self_pipe = lambda loop: None

    def is_package(self, name):
        return self.kept[name][1]

    def get_code(self, name):
        place, _, origin = self.kept[name]
        return compile(self.store.get(place), origin, "exec", dont_inherit=True)

    def get_source(self, name):
        return self.store.get(self.kept[name][0]).decode("utf-8", "replace")


def keep_sources(library):
    for info in pkgutil.iter_modules(sys.path):
        if info.name in sys.stdlib_module_names and is_wanted(info.name):
            keep_tree(library, info.module_finder, info.name, info.ispkg)


def keep_tree(library, finder, name, package):
    origin = library.keep(finder, name, package)
    if not package or origin is None:
        return
    for info in pkgutil.iter_modules([os.path.dirname(origin)]):
        child = name + "." + info.name
        if is_wanted(child):
            keep_tree(library, info.module_finder, child, info.ispkg)


def load_extensions():
    """Libraries, which can only be loaded from files."""
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    for folder in sys.path:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            module = name.partition(".")[0]
            if name.endswith(suffixes) and module in sys.stdlib_module_names and is_wanted(module):
                load(module)


def load(name):
    if name in KEPT_OUT or name in sys.modules:
        return
    try:
        importlib.import_module(name)
    except Exception:
        pass  # not every Python has every one


def read_zones():
    """The machine's time zones; that of UTC needs no file."""
    found = {"UTC": UTC}
    for folder in sys.modules["zoneinfo"].TZPATH if "zoneinfo" in sys.modules else ():
        for root, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(root, name)
                key = os.path.relpath(path, folder)
                if key.startswith(("posix/", "right/")):
                    continue
                with open(path, "rb") as file:
                    data = file.read()
                if data.startswith(b"TZif"):
                    found[key] = data
        if len(found) > 1:
            break
    return found


def keep_zones(store):
    module = sys.modules.get("zoneinfo")
    if module is None:
        return
    zones = {key: store.add(data) for key, data in read_zones().items()}

    def load_tzdata(key):
        if key not in zones:
            raise module.ZoneInfoNotFoundError(f"No time zone found with key {key}")
        return io.BytesIO(store.get(zones[key]))

    module._common.load_tzdata = load_tzdata
    module.reset_tzpath(to=())
    module.available_timezones = lambda: set(zones)


def settle_places():
    """What a program asks of its surroundings without harm has one answer everywhere."""
    system = os.uname_result(("Linux", "localhost", "", "", os.uname().machine))
    os.getcwd, os.getcwdb = lambda: "/", lambda: b"/"
    os.uname = lambda: system
    os.cpu_count = lambda: 1
    # An event loop that waits by select() needs no descriptor.
    sys.modules["selectors"].DefaultSelector = sys.modules["selectors"].SelectSelector


def main():
    store = Store()
    library = Library(store)
    sys.modules["_hashlib"] = None  # hashlib then takes Python's own digests; OpenSSL would read files
    for name in MODULES.split():
        load(name)
    load_extensions()
    del sys.modules["_hashlib"]
    keep_sources(library)
    keep_zones(store)
    store.close()
    settle_places()
    for name in KEPT_OUT:
        sys.modules.pop(name, None)
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
    sys.meta_path.append(library)
    os.environ._data.clear()
    gc.collect()
    gc.freeze()
