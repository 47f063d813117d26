#include "coppice/base/affinity.h"

#include "base/affinity_launcher.h"
#include "base/affinity_plan.h"
#include "base/cgroup.h"

#include <errno.h>
#include <hwloc.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The machine with all its processors, its PCI devices if they matter, and the set of those
 * processors that this process may use. */
static bool load_machine(bool with_devices, hwloc_topology_t *topology, hwloc_bitmap_t *allowed)
{
    *topology = NULL;
    *allowed = hwloc_bitmap_alloc();
    if (*allowed == NULL || hwloc_topology_init(topology) != 0) {
        *topology = NULL;
        return false;
    }
    (void)hwloc_topology_set_flags(*topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    /* Not the system's names for them: to find those, hwloc would start every GPU library. */
    if (with_devices) {
        (void)hwloc_topology_set_type_filter(*topology, HWLOC_OBJ_PCI_DEVICE,
                                             HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    }
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

int cop_affinity_core_count(void)
{
    hwloc_topology_t topology = NULL;
    hwloc_bitmap_t allowed = NULL;
    const int count = load_machine(false, &topology, &allowed)
                          ? cop_affinity_count_cores(topology, allowed)
                          : count_processors();
    free_machine(topology, allowed);
    return count;
}

void cop_affinity_look(int threads, cop_affinity_rank *mine)
{
    hwloc_topology_t topology = NULL;
    hwloc_bitmap_t allowed = NULL;
    memset(mine, 0, sizeof *mine); /* all of it is sent, padding included */
    mine->threads = threads;
    mine->cpu_quota = cop_cgroup_cpu_quota("");
    if (load_machine(false, &topology, &allowed)) {
        const int length =
            hwloc_bitmap_list_snprintf(mine->allowed, sizeof mine->allowed, allowed);
        if (length < 0 || (size_t)length >= sizeof mine->allowed) mine->allowed[0] = '\0';
    }
    free_machine(topology, allowed);
}

bool cop_affinity_is_widened(cop_affinity_widened *found)
{
    const bool launched = getenv("OMPI_COMM_WORLD_RANK") != NULL || getenv("PMIX_RANK") != NULL;
    return launched && cop_affinity_find_widened("", found);
}

/* Binds as planned; not being able to is no failure of the run. */
static void bind_process(hwloc_topology_t topology, hwloc_const_bitmap_t chosen,
                         cop_affinity_plan *plan)
{
    if (hwloc_bitmap_iszero(chosen)) return;
    if (hwloc_set_cpubind(topology, chosen, HWLOC_CPUBIND_PROCESS) == 0) return;
    const int number = errno;
    plan->bound = plan->near_gpu = false;
    (void)snprintf(plan->text, sizeof plan->text, "not bound: the system refuses it (%s)",
                   strerror(number));
}

/* Later allocations come from next to the GPU as long as there is memory there. */
static void bind_memory(hwloc_topology_t topology, const char *gpu)
{
    const struct hwloc_obj *const part = cop_affinity_next_to(topology, gpu);
    /* Where the system refuses, memory still comes from next to the cores. */
    if (part != NULL) {
        (void)hwloc_set_membind(topology, part->nodeset, HWLOC_MEMBIND_BIND,
                                HWLOC_MEMBIND_BYNODESET);
    }
}

static bool has_gpu(const cop_affinity_rank *ranks, int count)
{
    for (int i = 0; i < count; i++) {
        if (ranks[i].gpu[0] != '\0') return true;
    }
    return false;
}

cop_status cop_affinity_bind(const cop_affinity_rank *ranks, int count, int me,
                             bool oversubscribe, cop_affinity_plan *plan, cop_error *err)
{
    hwloc_topology_t topology = NULL;
    hwloc_bitmap_t allowed = NULL;
    hwloc_bitmap_t chosen = hwloc_bitmap_alloc();
    cop_status status = COP_OK;
    *plan = (cop_affinity_plan){0};
    if (chosen == NULL || !load_machine(has_gpu(ranks, count), &topology, &allowed)) {
        const int cores = count_processors();
        *plan = (cop_affinity_plan){.cores_allowed = cores, .cores_node = cores, .fits = true};
        (void)snprintf(plan->text, sizeof plan->text,
                       "not bound: the machine's topology cannot be read");
    } else {
        status =
            cop_affinity_plan_on(topology, ranks, count, me, oversubscribe, plan, chosen, err);
        if (status == COP_OK) bind_process(topology, chosen, plan);
        if (status == COP_OK && plan->near_gpu) bind_memory(topology, ranks[me].gpu);
    }
    hwloc_bitmap_free(chosen);
    free_machine(topology, allowed);
    return status;
}
