#include "coppice/affinity.h"

#include "base/affinity_plan.h"

#include <errno.h>
#include <hwloc.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- cores --- */

/* Some virtual machines show processors without cores; each is then taken for one. */
static hwloc_obj_type_t core_type(hwloc_topology_t topology)
{
    return hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE
                                                                  : HWLOC_OBJ_PU;
}

/* The lowest processor of `core` in `set`, -1 if none. */
static int first_processor(hwloc_obj_t core, hwloc_const_bitmap_t set)
{
    int processor = -1;
    while ((processor = hwloc_bitmap_next(core->cpuset, processor)) >= 0) {
        if (set == NULL || hwloc_bitmap_isset(set, (unsigned)processor)) return processor;
    }
    return -1;
}

int cop_affinity_count_cores(struct hwloc_topology *topology, const struct hwloc_bitmap_s *set)
{
    int count = 0;
    hwloc_obj_t core = NULL;
    while ((core = hwloc_get_next_obj_by_type(topology, core_type(topology), core)) != NULL) {
        if (first_processor(core, set) >= 0) count++;
    }
    return count > 0 ? count : 1;
}

/* Processors of the cores [first, first + count) of those in `allowed`. hwloc's order goes
 * through one package and memory node after the other, so neighbours in it are near to each
 * other. */
static void choose_processors(hwloc_topology_t topology, hwloc_const_bitmap_t allowed,
                              int first, int count, hwloc_bitmap_t chosen)
{
    int index = 0;
    hwloc_obj_t core = NULL;
    while ((core = hwloc_get_next_obj_by_type(topology, core_type(topology), core)) != NULL) {
        const int processor = first_processor(core, allowed);
        if (processor < 0) continue;
        if (index >= first && index < first + count) {
            (void)hwloc_bitmap_set(chosen, (unsigned)processor);
        }
        index++;
    }
}

/* --- plan --- */

__attribute__((format(printf, 2, 3))) static void say(cop_affinity_plan *plan,
                                                      const char *format, ...)
{
    const size_t used = strlen(plan->text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(plan->text + used, sizeof plan->text - used, format, arguments);
    va_end(arguments);
}

static void say_quota(cop_affinity_plan *plan, const cop_affinity_request *request)
{
    if (request->cpu_quota > 0 && request->cpu_quota < plan->cores_allowed) {
        say(plan, "; control group allows %.1f cores' time", request->cpu_quota);
    }
}

static cop_status check_request(const cop_affinity_request *request, cop_error *err)
{
    COP_CHECK(request->local_ranks >= 1 && request->local_rank >= 0 &&
                  request->local_rank < request->local_ranks,
              err, COP_ERR_INTERNAL, "local rank %d of %d", request->local_rank,
              request->local_ranks);
    COP_CHECK(request->threads >= 1, err, COP_ERR_INTERNAL, "%d threads for a rank",
              request->threads);
    return COP_OK;
}

cop_status cop_affinity_plan_on(struct hwloc_topology *topology,
                                const struct hwloc_bitmap_s *allowed,
                                const cop_affinity_request *request, cop_affinity_plan *plan,
                                struct hwloc_bitmap_s *chosen, cop_error *err)
{
    *plan = (cop_affinity_plan){0};
    hwloc_bitmap_zero(chosen);
    COP_TRY(check_request(request, err));
    const int threads = request->threads;
    const bool idle = request->coordinator_idle && request->local_ranks > 1;
    const int ranks = request->local_ranks - (idle ? 1 : 0);
    const int64_t need = (int64_t)ranks * threads;
    plan->threads = threads;
    plan->cores_node = cop_affinity_count_cores(topology, NULL);
    plan->cores_allowed = cop_affinity_count_cores(topology, allowed);
    if (idle && request->local_rank == 0) {
        say(plan, "coordinator: not bound, %d of %d cores allowed", plan->cores_allowed,
            plan->cores_node);
        return COP_OK;
    }
    if (need <= plan->cores_allowed) {
        char list[64] = "";
        plan->first_core = (request->local_rank - (idle ? 1 : 0)) * threads;
        plan->bound = true;
        choose_processors(topology, allowed, plan->first_core, threads, chosen);
        (void)hwloc_bitmap_list_snprintf(list, sizeof list, chosen);
        say(plan, "bound to %d of %d cores (processors %s)", threads, plan->cores_node, list);
    } else if (request->launcher_bound && plan->cores_allowed == threads) {
        plan->bound = true;
        say(plan, "bound to %d of %d cores by the launcher", threads, plan->cores_node);
    } else {
        say(plan, "%d ranks x %d threads on %d cores: not bound", ranks, threads,
            plan->cores_allowed);
        /* The usual cause on a machine that has the cores: mpirun's own binding. */
        if (need <= plan->cores_node) say(plan, " (%d in the machine)", plan->cores_node);
    }
    say_quota(plan, request);
    return COP_OK;
}

/* --- surroundings --- */

/* The least "quota period" of files like cpu.max from `group` up to the root; 0 if none. */
static double read_quota_v2(char *group)
{
    double least = 0;
    for (;;) {
        char path[1200];
        double quota = 0;
        double period = 0;
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
        FILE *const file = fopen(path, "r");
        const int got = file == NULL ? 0 : fscanf(file, "%lf %lf", &quota, &period);
        if (file != NULL) (void)fclose(file);
        if (got == 2 && period > 0 && (least <= 0 || quota / period < least)) {
            least = quota / period;
        }
        char *const slash = strrchr(group, '/');
        if (slash == NULL || group[0] == '\0') return least;
        *slash = '\0';
    }
}

static double read_quota_v1(void)
{
    double values[2] = {0, 0};
    static const char *const paths[2] = {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
                                         "/sys/fs/cgroup/cpu/cpu.cfs_period_us"};
    for (int i = 0; i < 2; i++) {
        FILE *const file = fopen(paths[i], "r");
        if (file == NULL) return 0;
        if (fscanf(file, "%lf", &values[i]) != 1) values[i] = 0;
        (void)fclose(file);
    }
    return values[0] > 0 && values[1] > 0 ? values[0] / values[1] : 0;
}

/* Processors' worth of time that the control group allows; 0: no limit or not known. */
static double read_quota(void)
{
    FILE *const file = fopen("/proc/self/cgroup", "r");
    if (file == NULL) return read_quota_v1();
    char line[1024];
    double quota = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "0::", 3) != 0) continue;
        line[strcspn(line, "\n")] = '\0';
        quota = read_quota_v2(line + 3);
    }
    (void)fclose(file);
    return quota > 0 ? quota : read_quota_v1();
}

/* Whether the parent, mostly the MPI daemon or the batch system's, has processors that this
 * process has not: then someone gave it its own on purpose. */
static bool is_bound_by_launcher(hwloc_topology_t topology, hwloc_const_bitmap_t own)
{
    hwloc_bitmap_t parent = hwloc_bitmap_alloc();
    const bool bound =
        parent != NULL &&
        hwloc_get_proc_cpubind(topology, getppid(), parent, HWLOC_CPUBIND_PROCESS) == 0 &&
        hwloc_bitmap_isincluded(own, parent) && !hwloc_bitmap_isequal(own, parent);
    hwloc_bitmap_free(parent);
    return bound;
}

/* The machine with all its processors and the set of those that this process may use. */
static bool load_machine(hwloc_topology_t *topology, hwloc_bitmap_t *allowed)
{
    *topology = NULL;
    *allowed = hwloc_bitmap_alloc();
    if (*allowed == NULL || hwloc_topology_init(topology) != 0) {
        *topology = NULL;
        return false;
    }
    (void)hwloc_topology_set_flags(*topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    if (hwloc_topology_load(*topology) != 0) return false;
    hwloc_const_bitmap_t group = hwloc_topology_get_allowed_cpuset(*topology);
    if (hwloc_get_cpubind(*topology, *allowed, HWLOC_CPUBIND_THREAD) != 0) {
        return hwloc_bitmap_copy(*allowed, group) == 0;
    }
    return hwloc_bitmap_and(*allowed, *allowed, group) == 0 && !hwloc_bitmap_iszero(*allowed);
}

static void free_machine(hwloc_topology_t topology, hwloc_bitmap_t allowed)
{
    if (topology != NULL) hwloc_topology_destroy(topology);
    hwloc_bitmap_free(allowed);
}

/* Without hwloc: processors, for want of cores. */
static int count_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 && online < INT32_MAX ? (int)online : 1;
}

/* --- public --- */

int cop_affinity_core_count(void)
{
    hwloc_topology_t topology = NULL;
    hwloc_bitmap_t allowed = NULL;
    const int count = load_machine(&topology, &allowed)
                          ? cop_affinity_count_cores(topology, allowed)
                          : count_processors();
    free_machine(topology, allowed);
    return count;
}

/* Binds as planned; not being able to is no failure of the run. */
static void bind_process(hwloc_topology_t topology, hwloc_const_bitmap_t chosen,
                         cop_affinity_plan *plan)
{
    if (hwloc_bitmap_iszero(chosen)) return;
    if (hwloc_set_cpubind(topology, chosen, HWLOC_CPUBIND_PROCESS) == 0) return;
    const int number = errno;
    plan->bound = false;
    plan->text[0] = '\0';
    say(plan, "not bound: the system refuses it (%s)", strerror(number));
}

cop_status cop_affinity_bind(int local_rank, int local_ranks, bool coordinator_idle,
                             int threads, cop_affinity_plan *plan, cop_error *err)
{
    cop_affinity_request request = {.local_rank = local_rank,
                                    .local_ranks = local_ranks,
                                    .coordinator_idle = coordinator_idle,
                                    .threads = threads};
    hwloc_topology_t topology = NULL;
    hwloc_bitmap_t allowed = NULL;
    hwloc_bitmap_t chosen = hwloc_bitmap_alloc();
    cop_status status = COP_OK;
    *plan = (cop_affinity_plan){0};
    COP_TRY_OUT(check_request(&request, err));
    if (chosen == NULL || !load_machine(&topology, &allowed)) {
        const int cores = count_processors();
        *plan = (cop_affinity_plan){
            .cores_allowed = cores, .cores_node = cores, .threads = threads};
        say(plan, "not bound: the machine's topology cannot be read");
        goto out;
    }
    request.launcher_bound = is_bound_by_launcher(topology, allowed);
    request.cpu_quota = read_quota();
    COP_TRY_OUT(cop_affinity_plan_on(topology, allowed, &request, plan, chosen, err));
    bind_process(topology, chosen, plan);
out:
    hwloc_bitmap_free(chosen);
    free_machine(topology, allowed);
    return status;
}
