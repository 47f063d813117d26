# Coppice. `make help` lists the targets; `make info` shows what was found.

CC       ?= cc
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
OPT      ?= -O2 -g
V        ?= 0
ASAN     ?= 0
UBSAN    ?= 0
WERROR   ?= 0
# Folders of src/ to build: all but the helpers', which are programs of their own. A subset builds
# faster while working on one layer.
LAYERS   ?= $(filter-out sandbox reaper,$(patsubst src/%/,%,$(sort $(dir $(wildcard src/*/*.c src/*/*/*.c src/*/*/*/*.c)))))

ifeq ($(origin CC),default)
CC := gcc
endif
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-5s %s\n' '$(1)' '$(2)')

# --- what there is -----------------------------------------------------------------------------

# Libraries are found by .ci/find, once: what it found is kept until something that it read changes.
FOUND    := $(BUILD)/found.mk
LIBRARIES := $(shell sed -n 's/^\([A-Z0-9]*\) *|.*/\1/p' .ci/libraries)
FIND_KEY := $(firstword $(shell { printf '%s\n' '$(subst ','\'',$(CC) $(CFLAGS) $(LDFLAGS) \
              $(foreach n,$(LIBRARIES) DNNL,$(n)_DIR=$($(n)_DIR)))' "$$PKG_CONFIG_PATH" "$$CPATH" "$$LIBRARY_PATH"; \
              command -v mpicc mpirun h5cc pkg-config; } | cksum))
# These need none, or install some first and then call make again.
FREE_GOALS := help info deps deps-check demo check check-gpu check-slurm check-layers reach bench lint format uninstall clean
ifneq ($(filter-out $(FREE_GOALS),$(or $(MAKECMDGOALS),all)),)
include $(FOUND)
# Once a call: a folder of a clock that is ahead must not make it search for ever.
ifeq ($(MAKE_RESTARTS),)
ifneq ($(FOUND_KEY) $(words $(FOUND_FILES)),$(FIND_KEY) $(words $(wildcard $(FOUND_FILES))))
$(FOUND): FORCE
endif
$(FOUND): .ci/find .ci/libraries $(wildcard $(FOUND_FILES))
endif
endif
$(FOUND):
	@CC='$(CC)' CFLAGS='$(CFLAGS)' LDFLAGS='$(LDFLAGS)' sh .ci/find $(BUILD) $(FIND_KEY)
VERSION   := 0.1.0
# C++20 came with CUDA 12.
NVCC      ?= $(eval NVCC := $$(shell for n in "$$$$(command -v nvcc)" /usr/local/cuda/bin/nvcc; do \
               "$$$$n" --help 2>/dev/null | grep -q c++20 && echo "$$$$n" && break; done))$(NVCC)
# Of this tree alone: it may be unpacked inside another's checkout.
GIT       := $(shell within=$$(git rev-parse --show-prefix 2>/dev/null) && [ -z "$$within" ] && \
               git describe --always --dirty --tags 2>/dev/null || echo unknown)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla -Wundef -Wformat=2 -Wno-format-nonliteral -Wpointer-arith -Wcast-qual \
        $(if $(findstring clang,$(CC)),,-Wno-format-truncation) $(if $(filter 1,$(WERROR)),-Werror)
# Registers of MMX are those of x87: who touches one and does not clean up spoils what computes in
# x87 later, as long double does. The compiler would take them for moves of 8 bytes.
NO_MMX := $(if $(findstring x86_64,$(shell $(CC) -dumpmachine 2>/dev/null)),-mno-mmx)
# No -march=native, no fast-math: one binary for all x86-64, results the same everywhere.
BASE_CFLAGS = -std=c11 -D_GNU_SOURCE -DOMPI_SKIP_MPICXX $(OPT) $(WARN) -fopenmp -fno-math-errno \
              -ffp-contract=off $(NO_MMX) -fstack-protector-strong -MMD -MP -Iinclude -Isrc
ifeq ($(ASAN),1)
BASE_CFLAGS += -fsanitize=address -fno-omit-frame-pointer
SAN_LIBS    += -fsanitize=address
endif
ifeq ($(UBSAN),1)
BASE_CFLAGS += -fsanitize=undefined -fno-sanitize-recover=undefined
SAN_LIBS    += -fsanitize=undefined
endif
# Checked kernels at -O3 take minutes to compile.
KERNEL_OPT := $(if $(filter 1,$(ASAN) $(UBSAN)),-O1,-O3)
ISA_FLAGS_avx2   := -mavx2 -mfma -mf16c
ISA_FLAGS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mprefer-vector-width=512
ISA_FLAGS_avx512bf16 := $(ISA_FLAGS_avx512) -mavx512bf16
ISA_FLAGS_scalar :=

# The CUDA backend is a library of its own, built where nvcc is found for what nvcc still knows of
# these architectures, and with PTX for those to come.
CUDA_WANTED := 70 75 80 86 89 90
CUDA_KNOWN   = $(eval CUDA_KNOWN := $$(if $(NVCC),$$(patsubst sm_%,%,$$(shell $(NVCC) --list-gpu-code 2>/dev/null))))$(CUDA_KNOWN)
CUDA_SM      = $(filter $(CUDA_WANTED),$(CUDA_KNOWN))
# NVCC may be a name without a folder, and have options.
CUDA_HOME    = $(patsubst %/bin/nvcc,%,$(realpath $(shell command -v $(filter nvcc %/nvcc,$(NVCC)))))
CUDA_CODE    = $(foreach a,$(CUDA_SM),-gencode arch=compute_$(a),code=sm_$(a)) \
               $(foreach a,$(lastword $(CUDA_SM)),-gencode arch=compute_$(a),code=compute_$(a))
# No fast-math and no fused operation but those that are written out: noise and rebuilt weights are
# the same bits as on a CPU.
CUDA_FLAGS   = -std=c++20 -O3 -lineinfo -fmad=false -ftz=false -prec-div=true -prec-sqrt=true \
               -Iinclude -Isrc -MMD -MP $(if $(filter 1,$(WERROR)),-Werror all-warnings) \
               -Xcompiler -fPIC,-fvisibility=hidden,-ffp-contract=off,-Wall,-Wextra,-Wno-missing-field-initializers
# Program and plug-in must agree on these.
INTERFACE   := $(sort $(wildcard include/coppice/backend/backend.h include/coppice/base/cpu.h include/coppice/base/dtype.h \
               include/coppice/rebuild/rebuild.h include/coppice/base/status.h src/backend/plugin.h include/coppice/noise/gaussian.h include/coppice/noise/philox.h))
PLUGIN_BUILD = $(VERSION)-$(firstword $(shell cat $(INTERFACE) | cksum))

# --- sources -----------------------------------------------------------------------------------

ALL_SRC  := $(foreach d,$(LAYERS),$(wildcard src/$(d)/*.c))
MAIN_SRC := src/app/main.c
# Kernels are compiled once per instruction set, with COP_ISA_SUFFIX telling which.
KERN_SRC := $(filter src/backend/cpu/kernels/%,$(ALL_SRC))
# A build has oneDNN, or what stands in for it.
ONEDNN_SRC := $(patsubst %,src/backend/cpu/%.c,gemm_onednn gemm_measure_onednn onednn_api onednn_isa)
NO_ONEDNN_SRC := src/backend/cpu/no_onednn.c
LIB_SRC  := $(filter-out $(MAIN_SRC) $(KERN_SRC) $(if $(filter 0,$(ONEDNN)),$(ONEDNN_SRC),$(NO_ONEDNN_SRC)),$(ALL_SRC))
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o) \
            $(foreach i,scalar avx2 avx512,$(KERN_SRC:%.c=$(BUILD)/%.$(i).o))
LIB      := $(BUILD)/libcoppice.a
BIN      := $(BUILD)/coppice
# What ranks start commands with: small, since it is started anew with each.
REAPER   := $(BUILD)/coppice-reaper
# The helper that runs generated code; it alone is linked with Python and libseccomp.
BOX_BIN  := $(BUILD)/coppice-sandbox
BOX      := $(if $(filter 1,$(SANDBOX)),$(BOX_BIN))
BOX_SRC  := $(wildcard src/sandbox/*.c)
BOX_PY   := wire guest names judge preload
BOX_OBJ  := $(BOX_SRC:%.c=$(BUILD)/%.o) $(BUILD)/src/sandbox/harness.o
CUDA_SRC := $(wildcard src/backend/cuda/*.cu)
CUDA_OBJ := $(CUDA_SRC:%.cu=$(BUILD)/%.o)
# What the plug-in takes of the base, compiled once more for a library.
CUDA_BASE := $(patsubst %,$(BUILD)/pic/src/base/%.o,status memory memory_limits cgroup)
PLUGIN    = $(if $(CUDA_SM),$(BUILD)/libcoppice_cuda.so)
# The same sources against a stand-in for CUDA that runs them on the CPU; for tests.
HOST_SRC := $(wildcard tests/cuda_host/*.cc)
HOST_OBJ := $(CUDA_SRC:%.cu=$(BUILD)/cuda_host/%.o) $(HOST_SRC:%.cc=$(BUILD)/cuda_host/%.o)
HOST_PLUGIN := $(BUILD)/cuda_host/libcoppice_cuda.so
UNIT_SRC := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_ALL := $(patsubst %.c,$(BUILD)/tests/%,$(notdir $(UNIT_SRC)))
# Their names are theirs alone, so the programs lie in one folder.
vpath test_%.c $(sort $(dir $(UNIT_SRC)))
UNIT_BIN := $(if $(filter 1,$(CMOCKA)),$(filter-out $(if $(BOX),,$(BUILD)/tests/test_sandbox_%),$(UNIT_ALL)))

.DELETE_ON_ERROR:
.PHONY: FORCE all help info demo check check-gpu gpu-tests check-unit check-san check-e2e check-slurm check-debian13 check-isa check-prefix check-real check-calibration check-layers reach results bench install uninstall lint \
        format deps deps-check clean unit
.DEFAULT_GOAL := all

all: $(BIN) $(REAPER) $(BOX) $(PLUGIN)

help:
	@echo 'make               builds $(BIN), $(BOX) and, where nvcc (CUDA 12 or later) is found, the plug-in for GPUs'
	@echo 'make demo          installs what is missing, builds, runs the main job on the embedded model'
	@echo 'make check         installs what is missing, builds, runs all tests'
	@echo 'make check-unit    unit tests only;  make check-e2e: end-to-end tests only'
	@echo 'make check-layers  checks that includes only go downward'
	@echo 'make reach         lines of each folder that unit tests reach (gcov)'
	@echo 'make check-slurm   jobs, faults and sweeps on a Slurm cluster that it brings up (root)'
	@echo 'make check-prefix  a build without root, with every library unpacked in one folder (a Debian that has none of them)'
	@echo 'make check-debian13  the tests on Debian 13 in a folder, runs that both systems compute (root); REDUCED=1: a part'
	@echo 'make check-isa     tests of kernels on an emulated processor with AVX-512 and AMX (builds the emulator; PROGRAMS=...)'
	@echo 'make check-gpu     the tests of backends and models on the GPU of this machine'
	@echo 'make check-real    compares answers with transformers on a public model (fetches 0.7 GB; COPPICE_REAL_MODEL=gemma3)'
	@echo 'make check-calibration  gate, races, intervals and split halves on drawn scores (minutes)'
	@echo 'make results       every method on public models (hours; RESULTS="--plan" only says how many)'
	@echo 'make bench         measures this machine: noise, rebuild, GEMM, generation'
	@echo 'make lint          clang-format, clang-tidy, cppcheck'
	@echo 'make info          shows what was found;  make install PREFIX=/usr/local'
	@echo 'make NAME_DIR=/prefix  takes a library from there: $(LIBRARIES)'
	@echo 'Knobs: V=1 (show commands) ASAN=1 UBSAN=1 (sanitizers, use another BUILD=) OPT= CC= BUILD='

# --- rules -------------------------------------------------------------------------------------

$(BIN): $(BUILD)/src/app/main.o $(BUILD)/provenance.o $(LIB) | $(REAPER)
	$(call say,LINK,$@)
	$(Q)$(or $(MPI_CC),$(CC)) -fopenmp -o $@ $^ $(PKG_LIBS) $(MPI_LIBS) -ldl -lm $(SAN_LIBS) $(LDFLAGS)

$(REAPER): $(BUILD)/src/reaper/main.o
	$(call say,LINK,$@)
	$(Q)$(CC) -o $@ $^ $(SAN_LIBS) $(LDFLAGS)

$(LIB): $(LIB_OBJ) $(BUILD)/flags
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

# Gives the target a text, unless it has it already.
define update
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(1))' >$@
endef

$(BUILD)/src/queue/%.o: EXTRA_CFLAGS = $(MPI_CFLAGS)
$(BUILD)/src/queue/%.o: OBJECT_CC = $(or $(MPI_CC),$(CC))
OBJECT_CC = $(CC)
# What this build was made of: the program's own is compiled anew where any of it has changed, the
# library's, which tests are linked with, is not.
COMPILER   = $(eval COMPILER := $$(shell $(CC) --version 2>/dev/null | head -n 1 | tr -d '\"'))$(COMPILER)
PROVENANCE = -DCOP_VERSION='"$(VERSION)"' -DCOP_GIT='"$(GIT)"' -DCOP_COMPILER='"$(COMPILER)"' \
             -DCOP_OPT='"$(subst ",,$(strip $(OPT) $(CFLAGS)))"'
$(BUILD)/src/base/build_info.o: EXTRA_CFLAGS = $(PROVENANCE)
$(BUILD)/provenance: FORCE
	$(call update,$(PROVENANCE))
$(BUILD)/provenance.o: src/base/build_info.c $(BUILD)/provenance Makefile
	$(call say,CC,$<)
	$(Q)$(CC) $(BASE_CFLAGS) $(PROVENANCE) $(CFLAGS) -c -o $@ $<
# Objects are made anew where compiler or options are others than they were made with.
$(BUILD)/options: FORCE
	$(call update,$(COMPILER) $(OPT) $(CFLAGS) $(SAN_LIBS))
# Its exponentials become vectors only so; what they give is the same.
$(BUILD)/src/backend/draw.o: EXTRA_CFLAGS = -fno-trapping-math
$(BUILD)/%_avx2.o: EXTRA_CFLAGS = $(ISA_FLAGS_avx2)
$(BUILD)/%_avx512.o: EXTRA_CFLAGS = $(ISA_FLAGS_avx512)
$(BUILD)/%_avx512bf16.o: EXTRA_CFLAGS = $(ISA_FLAGS_avx512bf16)

$(BUILD)/src/backend/plugin.o $(BUILD)/src/backend/cuda/cuda_device.o $(BUILD)/cuda_host/src/backend/cuda/cuda_device.o: $(INTERFACE)
$(BUILD)/src/backend/plugin.o: EXTRA_CFLAGS = -DCOP_PLUGIN_BUILD='"$(PLUGIN_BUILD)"'

# These take long: they are made anew where their own flags have changed, not with every Makefile.
# Made for the first time it is no reason to.
CUDA_STAMP = $(subst ','\'',$(NVCC) $(CUDA_FLAGS) $(CUDA_CODE) $(CXX) $(HOST_FLAGS))
$(BUILD)/cuda.flags: FORCE
	@mkdir -p $(@D)
	@[ -e $@ ] && old= || old="-d @0"; printf '%s\n' '$(CUDA_STAMP)' | cmp -s - $@ || \
	    { printf '%s\n' '$(CUDA_STAMP)' >$@; [ -z "$$old" ] || touch $$old $@; }
$(BUILD)/src/backend/cuda/%.o: src/backend/cuda/%.cu $(BUILD)/cuda.flags
	$(call say,NVCC,$<)
	@mkdir -p $(@D)
	$(Q)$(NVCC) $(CUDA_FLAGS) $(CUDA_CODE) -DCOP_PLUGIN_BUILD='"$(PLUGIN_BUILD)"' -c -o $@ $<

$(BUILD)/pic/%.o: %.c Makefile $(BUILD)/options
	$(call say,CC,$< [pic])
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -fPIC -fvisibility=hidden $(CFLAGS) -c -o $@ $<

$(BUILD)/libcoppice_cuda.so: $(CUDA_OBJ) $(CUDA_BASE)
	$(call say,LINK,$@)
	$(Q)$(NVCC) -shared $(CUDA_CODE) -o $@ $^ -L$(CUDA_HOME)/lib64 -lcublasLt -Xlinker -rpath,$(CUDA_HOME)/lib64 $(SAN_LIBS:%=-Xcompiler %)

HOST_FLAGS = -x c++ -std=c++20 $(OPT) -ffp-contract=off $(NO_MMX) -fPIC -fvisibility=hidden -MMD -MP -Wall -Wextra \
             -Wno-missing-field-initializers -Wno-unknown-pragmas $(if $(filter 1,$(WERROR)),-Werror) \
             $(filter -fsanitize=% -fno-%,$(BASE_CFLAGS)) -Itests/cuda_host -Iinclude -Isrc \
             -DCOP_PLUGIN_BUILD='"$(PLUGIN_BUILD)"'
$(BUILD)/cuda_host/%.o: %.cu $(BUILD)/cuda.flags
	$(call say,CXX,$< [host])
	@mkdir -p $(@D)
	$(Q)$(CXX) $(HOST_FLAGS) -c -o $@ $<
$(BUILD)/cuda_host/%.o: %.cc $(BUILD)/cuda.flags
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(HOST_FLAGS) -c -o $@ $<
$(HOST_PLUGIN): $(HOST_OBJ) $(CUDA_BASE)
	$(call say,LINK,$@)
	$(Q)$(CXX) -shared -o $@ $^ $(SAN_LIBS)

$(BUILD)/%.o: %.c Makefile $(BUILD)/flags $(BUILD)/options
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(OBJECT_CC) $(BASE_CFLAGS) $(PKG_CFLAGS) $(EXTRA_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BOX_BIN): $(BOX_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) -fopenmp -o $@ $^ $(BOX_LIBS) -lm $(SAN_LIBS) $(LDFLAGS)

$(BUILD)/src/sandbox/%.o: EXTRA_CFLAGS = $(BOX_CFLAGS) -DCOP_PYTHON_HOME='"$(PYTHON_HOME)"'
# Python source as C strings.
$(BUILD)/src/sandbox/harness.c: $(BOX_PY:%=src/sandbox/%.py) Makefile
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q){ echo '#include "sandbox/harness.h"'; for part in $(BOX_PY); do \
	    echo "const char cop_harness_$$part[] = {"; \
	    od -An -v -tx1 src/sandbox/$$part.py | sed 's/[0-9a-f][0-9a-f]/0x&,/g'; echo '0};'; \
	done; } >$@
$(BUILD)/src/sandbox/harness.o: $(BUILD)/src/sandbox/harness.c $(BUILD)/options
	$(call say,CC,$<)
	$(Q)$(CC) $(BASE_CFLAGS) $(CFLAGS) -c -o $@ $<

define kernel_rule
$(BUILD)/src/backend/cpu/kernels/%.$(1).o: src/backend/cpu/kernels/%.c Makefile $(BUILD)/options
	$$(call say,CC,$$< [$(1)])
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(BASE_CFLAGS) $(KERNEL_OPT) -fno-trapping-math $$(ISA_FLAGS_$(1)) -DCOP_ISA_SUFFIX=_$(1) $$(CFLAGS) -c -o $$@ $$<
endef
$(foreach i,scalar avx2 avx512,$(eval $(call kernel_rule,$(i))))

$(BUILD)/tests/%: %.c $(LIB) | $(REAPER)
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(or $(MPI_CC),$(CC)) $(BASE_CFLAGS) -Itests $(PKG_CFLAGS) $(MPI_CFLAGS) $(CMOCKA_CFLAGS) $(CFLAGS) -o $@ $< \
	    $(LIB) $(CMOCKA_LIBS) $(PKG_LIBS) $(MPI_LIBS) -ldl -lm $(SAN_LIBS) $(LDFLAGS)
	@echo '$<:' >>$@.d # a test that has moved since is no error

# Tests of the helper's parts have those, without its main().
$(BUILD)/tests/test_sandbox_%: test_sandbox_%.c $(filter-out %/main.o,$(BOX_OBJ)) $(LIB)
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) -Itests $(BOX_CFLAGS) $(CMOCKA_CFLAGS) $(CFLAGS) -o $@ $< $(filter %.o,$^) $(LIB) \
	    $(CMOCKA_LIBS) $(BOX_LIBS) -lm $(SAN_LIBS) $(LDFLAGS)

unit: $(UNIT_BIN) $(HOST_PLUGIN)

# --- targets -----------------------------------------------------------------------------------

deps:
	@BUILD=$(BUILD) CC='$(CC)' sh .ci/deps build
deps-check:
	@BUILD=$(BUILD) CC='$(CC)' sh .ci/deps check

demo: deps
	@$(MAKE) --no-print-directory -j$$(nproc) $(BIN)
	@sh .ci/demo.sh $(BIN)

check: deps-check
	@$(MAKE) --no-print-directory check-layers
	@$(MAKE) --no-print-directory -j$$(nproc) all unit
	@python3 tests/run.py --build $(BUILD) $(BESIDE) unit e2e

check-unit: unit
	@python3 tests/run.py --build $(BUILD) unit
# Unit tests only: run it with ASAN=1 UBSAN=1 and a BUILD of its own. Open MPI and hwloc keep
# memory to the end, so leaks are looked for by the tests that name them.
check-san: unit
	@ASAN_OPTIONS=detect_leaks=0 COPPICE_SANITIZED=1 python3 tests/run.py --build $(BUILD) --without planted --at-once $$(nproc) unit
check-e2e: all
	@python3 tests/run.py --build $(BUILD) e2e
check-layers:
	@python3 .ci/layers.py
# Lines of each folder that unit tests reach.
reach:
	@sh .ci/reach.sh

# On a Slurm cluster of three nodes that exists for as long as the tests; says so where it cannot.
check-slurm: deps
	@$(MAKE) --no-print-directory -j$$(nproc) $(BIN)
	@sh tests/slurm/check.sh $(BUILD)

# The same on Debian 13 in a folder, and runs that go on there with what was begun here.
check-debian13: deps-check
	@$(MAKE) --no-print-directory -j$$(nproc) $(BIN)
	@BUILD=$(abspath $(BUILD)) tests/debian13/check.sh $(REDUCED:%=--reduced)

# What differs by instruction set, where no processor has them all.
ISA_TESTS := base_cpu noise_simd rebuild backend_rows backend_gemm backend_product low_rank model_defined
PROGRAMS  ?= $(BUILD)/tests/isa_processor $(ISA_TESTS:%=$(BUILD)/tests/test_%)
$(BUILD)/tests/isa_processor: tests/isa/processor.c
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -g $(WARN) -ffp-contract=off -static -pthread -o $@ $< -lm
check-isa: $(PROGRAMS)
	@COPPICE_ISA_FOLDER="$${COPPICE_ISA_FOLDER:-$(BUILD)/isa}" python3 tests/isa/check.py $(PROGRAMS)

# The tests of backends and models on the GPU of this machine.
check-gpu: deps-check
	@$(MAKE) --no-print-directory -j$$(nproc) gpu-tests
	@sh tests/check_gpu.sh $(BUILD)
gpu-tests: $(PLUGIN) $(filter $(BUILD)/tests/test_backend_% $(BUILD)/tests/test_model_%,$(UNIT_BIN)) $(HOST_PLUGIN)

# As a user without root: for a machine that has none of the libraries installed.
check-prefix:
	@sh tests/prefix/check.sh

# Against transformers on a public model: needs the Python registry, not part of `make check`.
check-real: $(BIN)
	@sh tests/real/check_real.sh $(BIN)

# Every method beside every other on public models: hours, says how many first, goes on where it was stopped.
results: $(BIN)
	@COPPICE=$(BIN) python3 jobs/real/results.py $(RESULTS)

# Whose figures the documents quote; `make check` has a smaller form of it.
check-calibration: $(BUILD)/tests/test_calibration $(BUILD)/tests/test_split_planted
	@COPPICE_CALIBRATION=full $(BUILD)/tests/test_calibration
	@COPPICE_CALIBRATION=full $(BUILD)/tests/test_split_planted

bench: deps
	@$(MAKE) --no-print-directory -j$$(nproc) $(BIN)
	@sh .ci/bench.sh $(BIN)

lint:
	@sh .ci/lint.sh
format:
	clang-format -i $$(git ls-files '*.c' '*.h' '*.cu' '*.cuh' '*.cc')

# A path of two words would be two paths, to install and, worse, to remove.
ifneq ($(words x$(PREFIX)x x$(DESTDIR)x),2)
$(error PREFIX and DESTDIR must not have a space: "$(PREFIX)", "$(DESTDIR)")
endif

install: $(BIN) $(REAPER) $(BOX) $(PLUGIN)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/coppice/jobs
	install -m 755 $(BIN) $(REAPER) $(BOX) $(DESTDIR)$(PREFIX)/bin
	$(if $(PLUGIN),install -d $(DESTDIR)$(PREFIX)/lib/coppice && install -m 755 $(PLUGIN) $(DESTDIR)$(PREFIX)/lib/coppice)
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 src/app/coppice.1 $(DESTDIR)$(PREFIX)/share/man/man1/coppice.1
	tar -C jobs --exclude=./real/data --exclude=__pycache__ --mode=u=rwX,go=rX -cf - . | \
	    tar -C $(DESTDIR)$(PREFIX)/share/coppice/jobs -xpf - --no-same-owner
uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,coppice coppice-reaper coppice-sandbox)
	rm -rf $(DESTDIR)$(PREFIX)/lib/coppice
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/coppice.1
	rm -rf $(DESTDIR)$(PREFIX)/share/coppice

info:
	@echo 'version     $(VERSION) ($(GIT))'
	@mkdir -p $(BUILD)
	@echo "compiler    $$($(CC) --version 2>/dev/null | head -n 1 || echo none)"
	@echo 'flags       $(BASE_CFLAGS)'
	@CC='$(CC)' CFLAGS='$(CFLAGS)' LDFLAGS='$(LDFLAGS)' sh .ci/find $(BUILD) $(FIND_KEY) 2>$(BUILD)/found.err || true
	@while IFS="$$(printf '\t')" read -r name what; do printf '%-12s%s\n' "$$name" "$$what"; done <$(BUILD)/found.txt
	@sed 's/^coppice: /            /' $(BUILD)/found.err
	@printf '%-12s%s\n' nvcc "$(if $(NVCC),$$($(NVCC) --version | sed -n 's/.*release \(.*\),.*/\1/p') at $(NVCC): CUDA plug-in for$(CUDA_SM:%= sm_%) and PTX$(if $(filter-out $(CUDA_KNOWN),$(CUDA_WANTED)),; this nvcc no longer knows$(patsubst %, sm_%,$(filter-out $(CUDA_KNOWN),$(CUDA_WANTED)))),not found in CUDA 12 or later: no CUDA plug-in)"
	@printf '%-12s%s\n' processor "$$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $$(nproc) cores"
	@printf '%-12s%s\n' isa "$$(grep -m1 -ow avx512bw /proc/cpuinfo || grep -m1 -ow avx2 /proc/cpuinfo || echo scalar)$$(grep -qow avx512_bf16 /proc/cpuinfo && echo ' avx512_bf16')$$(grep -qow amx_bf16 /proc/cpuinfo && echo ' amx_bf16')"

print-%:
	@echo '$* = $($*)'

clean:
	rm -rf $(BUILD)

-include $(BUILD)/src/reaper/main.d $(CUDA_OBJ:.o=.d) $(HOST_OBJ:.o=.d) $(CUDA_BASE:.o=.d) $(LIB_OBJ:.o=.d) $(BOX_OBJ:.o=.d) $(BUILD)/src/app/main.d $(UNIT_ALL:=.d) $(BUILD)/provenance.d
