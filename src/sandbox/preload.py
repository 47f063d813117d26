"""Loads what programs commonly import, then takes away the ways to load more: a program finds its
modules in memory and needs no file."""
import gc
import importlib
import os
import sys

MODULES = """
abc argparse array ast atexit base64 binascii bisect builtins calendar cmath codecs collections
collections.abc colorsys concurrent.futures.thread configparser contextlib contextvars copy copyreg csv
dataclasses datetime decimal difflib dis enum errno fileinput fnmatch fractions functools gc getopt glob
graphlib hashlib heapq hmac html html.entities html.parser importlib inspect io ipaddress itertools json
keyword linecache locale logging math numbers opcode operator optparse os os.path pathlib pickle
pickletools platform pprint queue random re reprlib sched secrets shlex shutil signal stat statistics
string stringprep struct sys tempfile textwrap threading time timeit token tokenize traceback types
typing unicodedata unittest urllib.parse uuid warnings weakref xml.etree.ElementTree zlib zoneinfo
__future__ _pylong _sha2 _strptime
encodings.aliases encodings.ascii encodings.base64_codec encodings.charmap encodings.cp1252
encodings.cp437 encodings.hex_codec encodings.idna encodings.iso8859_1 encodings.iso8859_15
encodings.latin_1 encodings.punycode encodings.raw_unicode_escape encodings.rot_13
encodings.unicode_escape encodings.utf_16 encodings.utf_16_be encodings.utf_16_le encodings.utf_32
encodings.utf_32_be encodings.utf_32_le encodings.utf_7 encodings.utf_8 encodings.utf_8_sig
"""

# No program needs these, whatever else has loaded them; see forbid.c, which ends one that asks.
KEPT_OUT = ("_ctypes", "ctypes", "_socket", "socket", "_posixsubprocess", "subprocess", "mmap")


def main():
    sys.modules["_hashlib"] = None  # hashlib then takes Python's own digests; OpenSSL would read files
    for name in MODULES.split():
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # not every Python has every one
    del sys.modules["_hashlib"]
    for name in KEPT_OUT:
        sys.modules.pop(name, None)
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
    os.environ._data.clear()
    gc.collect()
    gc.freeze()
