# Spack recipe of Coppice. Put it into a repository of your own:
#
#   spack repo create ~/spack-coppice coppice-site && mkdir -p ~/spack-coppice/packages/coppice
#   cp slurm/install/package.py ~/spack-coppice/packages/coppice/ && spack repo add ~/spack-coppice
#   git archive --prefix=coppice-0.1.0/ -o coppice-0.1.0.tar.gz HEAD     # in the clone
#   spack install --no-checksum coppice        # in the folder of that file; +cuda for the GPU plug-in
import os

from spack.package import *


class Coppice(MakefilePackage):
    """Post-trains language models without gradients, as one MPI job: seeded Gaussian perturbations of
    a model's weights are scored on a task and the rewarded ones folded into one better model."""

    homepage = "https://arxiv.org/abs/2605.31494"
    url = f"file://{os.getcwd()}/coppice-0.1.0.tar.gz"

    license("Apache-2.0")

    version("0.1.0")

    variant("cuda", default=False, description="Build the plug-in for GPUs")
    variant("onednn", default=True, description="Multiply with oneDNN, in bf16 where the processor has it")
    variant("sandbox", default=True, description="Build the helper that runs generated Python programs")

    depends_on("c", type="build")
    depends_on("cxx", type="build", when="+cuda")
    depends_on("gmake", type="build")
    depends_on("pkgconfig", type="build")

    depends_on("mpi@3:")
    depends_on("hdf5@1.10: ~mpi +hl")
    depends_on("openblas@0.3: threads=openmp")
    depends_on("hwloc@2.1:")
    depends_on("jansson@2.14:")
    depends_on("libyaml@0.1.7:")
    depends_on("pcre2@10.30: +jit")
    depends_on("utf8proc@2.1:")
    depends_on("openssl@1.1:")
    depends_on("onednn@2.6: cpu_runtime=omp", when="+onednn")
    depends_on("cuda@12:", when="+cuda")
    depends_on("python@3.9: +shared", when="+sandbox")
    depends_on("libseccomp@2.5:", when="+sandbox")

    # Where each library is, for the Makefile's NAME_DIR.
    libraries = {
        "HDF5": "hdf5",
        "OPENBLAS": "openblas",
        "HWLOC": "hwloc",
        "JANSSON": "jansson",
        "YAML": "libyaml",
        "PCRE2": "pcre2",
        "UTF8PROC": "utf8proc",
        "OPENSSL": "openssl",
    }

    @property
    def build_targets(self):
        spec = self.spec
        targets = [f"{name}_DIR={spec[package].prefix}" for name, package in self.libraries.items()]
        targets.append(f"MPI_DIR={spec['mpi'].prefix}")
        targets.append("ONEDNN_DIR=" + (spec["onednn"].prefix if spec.satisfies("+onednn") else "none"))
        targets.append("PYTHON_DIR=" + (spec["python"].prefix if spec.satisfies("+sandbox") else "none"))
        targets.append("SECCOMP_DIR=" + (spec["libseccomp"].prefix if spec.satisfies("+sandbox") else "none"))
        targets.append("NVCC=" + (join_path(spec["cuda"].prefix.bin, "nvcc") if spec.satisfies("+cuda") else ""))
        targets.append("CC=" + spack_cc)
        return targets

    def install(self, spec, prefix):
        make("install", f"PREFIX={prefix}", *self.build_targets)

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_install(self):
        coppice = Executable(join_path(self.prefix.bin, "coppice"))
        job = join_path(self.prefix.share, "coppice", "jobs", "demo.yaml")
        coppice("run", job, "--check", output=os.devnull)
        coppice("noise", "--seed", "1", "--tensor", "t", "--count", "4", output=os.devnull)
