#!/usr/bin/env python3
"""What .ci/find says of libraries that are missing or will not do: one line with what was found, where,
and what helps. Each case is made of stubs in a folder of its own. And other options compile anew."""
import os
import subprocess
import tempfile

import lib

FIND = os.path.join(lib.TOP, ".ci", "find")
DEPS = os.path.join(lib.TOP, ".ci", "deps")
MANAGERS = ("Debian ", "RHEL ", "Spack ", "EasyBuild ", "_DIR=/prefix")


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


class Stubs:
    """A folder with a compiler that does not see some headers, an empty pkg-config path, and commands
    that fail, unless a case writes others."""

    def __init__(self, folder, hidden=()):
        self.folder = folder
        for name in ("mpicc", "h5cc", "python3-config", "mpirun"):
            self.command(name, "exit 1")
        pattern = "|".join(hidden) or "^$^"
        self.command("cc-stub", f"""for word in "$@"; do
    case $word in *.c) if grep -Eq '<({pattern})>' "$word"; then
        echo "x.c:1:10: fatal error: a header is not there" >&2; exit 1; fi ;; esac
done
exec gcc "$@\"""")
        os.makedirs(self.path("pc"), exist_ok=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def command(self, name, text):
        write(self.path("bin", name), "#!/bin/sh\n" + text + "\n", 0o755)

    def module(self, name, version, cflags=""):
        write(self.path("pc", name + ".pc"), f"prefix=/opt/x\nName: {name}\nDescription: stub\nVersion: {version}\n"
              f"Cflags: {cflags}\nLibs: -L{self.path('x', 'lib')} -l{name}\n")

    def library(self, name, header, text, functions=()):
        """A prefix with a header and a library of these functions."""
        write(self.path("x", "include", header), text)
        source = self.path("stub.c")
        write(source, "".join(f"void {f}(void) {{}}\n" for f in functions))
        os.makedirs(self.path("x", "lib"), exist_ok=True)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", self.path("x", "lib", f"lib{name}.so"), source], check=True)

    def find(self, *names, code=1, **settings):
        """What it says, a list of lines."""
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_DIR")}
        environment.update(CC=self.path("bin", "cc-stub"), PATH=self.path("bin") + ":" + os.environ["PATH"],
                           PKG_CONFIG_LIBDIR=self.path("pc"), PKG_CONFIG_PATH="", **settings)
        done = subprocess.run(["sh", FIND, self.path("build"), "key", *names], stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, env=environment, check=False)
        lib.check(done.returncode == code, f"{names}: code {done.returncode}, not {code}: {done.stderr}")
        return done.stderr.splitlines()


def expect(lines, *words):
    lib.check(len(lines) == 1 and lines[0].startswith("coppice: "), f"one line of ours: {lines}")
    for word in words:
        lib.check(word in lines[0], f"no {word!r} in {lines[0]!r}")


def hdf5(s, old=False, parallel=False):
    s.library("hdf5", "hdf5.h", f"#define H5_VERS_MAJOR 1\n#define H5_VERS_MINOR {8 if old else 12}\n"
              f"#define H5_VERS_RELEASE 20\n" + ("#define H5_HAVE_PARALLEL 1\n" if parallel else ""))


def check_missing(s):
    expect(s.find("JANSSON"), "jansson (2.14 or later) is missing", "libjansson-dev", "jansson-devel", "Jansson",
           "JANSSON_DIR=/prefix", *MANAGERS)
    lines = s.find("JANSSON", "MPI", "OPENSSL")
    lib.check(len(lines) == 3 and "libssl-dev" in lines[2], f"one line each: {lines}")


def check_too_old(s):
    s.module("hdf5-serial", "1.8.20")
    expect(s.find("HDF5"), "HDF5 1.8.20", s.path("pc"), "too old", "1.10 or later", *MANAGERS)


def check_header_too_old(s):
    hdf5(s, old=True)
    expect(s.find("HDF5", HDF5_DIR=s.path("x")), "HDF5 1.8.20", s.path("x"), "too old", *MANAGERS)


def check_parallel(s):
    hdf5(s, parallel=True)
    expect(s.find("HDF5", HDF5_DIR=s.path("x")), "HDF5 1.12.20", s.path("x"), "built parallel", "hdf5~mpi")


def check_stale_module(s):
    s.module("jansson", "2.14")
    expect(s.find("JANSSON"), "jansson 2.14", s.path("pc"), "no usable <jansson.h>", "libjansson-dev")


def check_does_not_link(s):
    s.library("jansson", "jansson.h", '#define JANSSON_VERSION "2.14"\nvoid *json_object(void);\n'
              "void *json_object_getn(void *, const char *, unsigned long);\n")
    expect(s.find("JANSSON", JANSSON_DIR=s.path("x")), "jansson 2.14", s.path("x"), "does not link", "json_object")


def check_no_lapacke(s):
    s.library("openblas", "cblas.h", '#define OPENBLAS_VERSION " OpenBLAS 0.3.26 "\nint cblas_sdot(int, float *, int, '
              "float *, int);\n", ["cblas_sdot"])
    expect(s.find("OPENBLAS", OPENBLAS_DIR=s.path("x")), "OpenBLAS 0.3.26", s.path("x"), "without LAPACKE", *MANAGERS)


def check_wide_indices(s):
    s.library("openblas", "cblas.h", '#define OPENBLAS_VERSION " OpenBLAS 0.3.26 "\n#define OPENBLAS_USE64BITINT 1\n')
    expect(s.find("OPENBLAS", OPENBLAS_DIR=s.path("x")), "OpenBLAS 0.3.26", "64 bits", *MANAGERS)


MPI_HEADER = "#define MPI_VERSION {}\n#define MPI_SUBVERSION 1\n#define MPICH_VERSION \"4.0.2\"\n"


def check_old_mpi(s):
    s.library("mpich", "mpi.h", MPI_HEADER.format(2))
    expect(s.find("MPI", MPI_DIR=s.path("x")), "MPI", s.path("x"), "too old", *MANAGERS)


def check_wrong_mpi(s):
    s.library("mpich", "mpi.h", MPI_HEADER.format(4))
    s.module("mpich", "4.0.2", "-I" + s.path("x", "include"))
    s.command("mpirun", "echo 'mpirun (Open MPI) 4.1.4'")
    expect(s.find("MPI"), "MPICH 4.0.2 (mpich.pc", s.path("bin", "mpirun"), "Open MPI", "load one module", "MPI_DIR=/prefix")


def check_onednn(s):
    s.library("dnnl", "dnnl.h", "#define DNNL_CPU_RUNTIME 4u\n")
    write(s.path("x", "include", "dnnl_version.h"),
          "#define DNNL_VERSION_MAJOR 2\n#define DNNL_VERSION_MINOR 5\n#define DNNL_VERSION_PATCH 4\n")
    expect(s.find("ONEDNN", ONEDNN_DIR=s.path("x")), "oneDNN 2.5.4", "too old", *MANAGERS)
    expect(s.find("ONEDNN", DNNL_DIR=s.path("x")), "oneDNN 2.5.4", "too old", *MANAGERS)
    write(s.path("x", "include", "dnnl_version.h"),
          "#define DNNL_VERSION_MAJOR 3\n#define DNNL_VERSION_MINOR 7\n#define DNNL_VERSION_PATCH 2\n")
    expect(s.find("ONEDNN", ONEDNN_DIR=s.path("x")), "oneDNN 3.7.2", "OpenMP", *MANAGERS)


def check_wrong_folder(s):
    expect(s.find("HDF5", HDF5_DIR=s.path("nowhere")), "HDF5_DIR=" + s.path("nowhere"), "no folder")
    expect(s.find("HDF5", HDF5_DIR=s.path("bin")), "HDF5_DIR=" + s.path("bin"), "holds no serial HDF5", "hdf5.h")


def check_optional(s):
    for name in ("ONEDNN", "SECCOMP", "CMOCKA"):
        lines = s.find(name, code=0)
        expect(lines, "going on without", "is missing", *MANAGERS)
    expect(s.find("SECCOMP", code=0, SECCOMP_DIR="none"), "going on without", "left out")
    with open(s.path("build", "found.mk"), encoding="utf-8") as made:
        lib.check("SANDBOX := 0\n" in made.read(), "a build without libseccomp has no sandbox")


def check_found(s):
    """What is whole is taken, with a note in the program of where it lies."""
    s.library("jansson", "jansson.h", '#define JANSSON_VERSION "2.14"\nvoid *json_object(void);\n'
              "void *json_object_getn(void *, const char *, unsigned long);\n", ["json_object", "json_object_getn"])
    lib.check(s.find("JANSSON", code=0, JANSSON_DIR=s.path("x")) == [], "nothing to say")
    with open(s.path("build", "found.mk"), encoding="utf-8") as made:
        lib.check(f"-Wl,-rpath,{s.path('x', 'lib')}" in made.read(), "the program finds it when it runs")


def check_no_dpkg(s):
    """On a machine that is not Debian: what to do instead, and no stop where all is there."""
    for tool in ("sh", "awk", "sed", "grep", "cat", "rm", "mktemp", "dirname", "mkdir", "tr", "cut", "sort", "head", "find",
                 "readlink", "cmp", "cp", "gcc", "pkg-config", "uname"):
        os.symlink(subprocess.run(["sh", "-c", "command -v " + tool], stdout=subprocess.PIPE, text=True,
                                  check=True).stdout.strip(), s.path("bin", tool))
    done = subprocess.run(["sh", DEPS, "build"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          cwd=s.folder, env={"PATH": s.path("bin"), "CC": "cc-stub", "PKG_CONFIG_LIBDIR": s.path("pc"),
                                             "BUILD": s.path("build")})
    lib.check(done.returncode == 1, f"code {done.returncode}: {done.stderr}")
    for word in ("not a Debian machine", "Spack", "EasyBuild", "RHEL", "hdf5~mpi", "utf8proc-devel", "make NAME_DIR=/prefix"):
        lib.check(word in done.stderr, f"no {word!r} in {done.stderr}")


def check_options(folder):
    """What was compiled with other options is compiled anew, and nothing else is."""
    build = os.path.join(folder, "build")
    built = os.path.join(build, "src", "base", "timer.o")

    def make(*settings):
        subprocess.run(["make", "-s", f"BUILD={build}", "NVCC=", *settings, built], cwd=lib.TOP, check=True)
        return os.stat(built).st_mtime_ns
    first = make()
    lib.check(make() == first, "the same options compiled anew")
    lib.check(make("OPT=-O1") > first, "OPT=-O1 compiled nothing")


def check_cuda_home(folder):
    """Where CUDA's libraries lie follows from nvcc, however it is named."""
    nvcc = os.path.join(os.path.realpath(folder), "cuda", "bin", "nvcc")
    write(nvcc, "#!/bin/sh\n", 0o755)
    env = dict(os.environ, PATH=os.path.dirname(nvcc) + ":" + os.environ["PATH"])
    for name in (nvcc, "nvcc", "nvcc -ccbin g++"):
        text = subprocess.run(["make", "-s", f"BUILD={folder}/build", f"NVCC={name}", "print-CUDA_HOME"], cwd=lib.TOP, env=env,
                              stdout=subprocess.PIPE, text=True, check=True).stdout
        lib.check(text == f"CUDA_HOME = {os.path.dirname(os.path.dirname(nvcc))}\n", f"NVCC={name}: {text}")


def main():
    everything = ("jansson.h", "mpi.h", "openssl/.*", "dnnl.*", "seccomp.h", "cmocka.h")
    for case, hidden in ((check_missing, everything), (check_too_old, ()), (check_header_too_old, ()), (check_parallel, ()),
                         (check_stale_module, ("jansson.h",)), (check_does_not_link, ()), (check_no_lapacke, ()),
                         (check_wide_indices, ()), (check_old_mpi, ()), (check_wrong_mpi, ()), (check_onednn, ()),
                         (check_wrong_folder, ()), (check_optional, everything), (check_found, ()),
                         (check_no_dpkg, everything)):
        with tempfile.TemporaryDirectory() as folder:
            case(Stubs(folder, hidden))
    with tempfile.TemporaryDirectory() as folder:
        check_options(folder)
        check_cuda_home(folder)


if __name__ == "__main__":
    main()
