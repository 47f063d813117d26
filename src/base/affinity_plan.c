#include "base/affinity_plan.h"

#include "coppice/base/memory.h"

#include <hwloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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

struct hwloc_obj *cop_affinity_next_to(struct hwloc_topology *topology, const char *gpu)
{
    hwloc_obj_t device = gpu[0] != '\0' ? hwloc_get_pcidev_by_busidstring(topology, gpu) : NULL;
    hwloc_obj_t part = device != NULL ? hwloc_get_non_io_ancestor_obj(topology, device) : NULL;
    const hwloc_obj_t machine = hwloc_get_root_obj(topology);
    const bool is_part = part != NULL && !hwloc_bitmap_iszero(part->cpuset) &&
                         !hwloc_bitmap_isequal(part->cpuset, machine->cpuset);
    return is_part ? part : NULL;
}

/* A node's ranks and what they get. */
typedef struct node_plan {
    hwloc_topology_t topology;
    const cop_affinity_rank *ranks;
    int count;
    hwloc_bitmap_t *allowed; /* [count] */
    hwloc_bitmap_t *near;    /* [count] of these, those next to the rank's GPU */
    int *order;              /* [count] those with the least choice first */
    hwloc_bitmap_t taken;    /* whole cores or processors */
    hwloc_bitmap_t all;      /* what any of them may use */
} node_plan;

__attribute__((format(printf, 2, 3))) static void say(cop_affinity_plan *plan,
                                                      const char *format, ...)
{
    const size_t used = strlen(plan->text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(plan->text + used, sizeof plan->text - used, format, arguments);
    va_end(arguments);
}

/* Adds up to `threads` objects of `type` out of `allowed` that nobody has to `chosen`, in
 * hwloc's order, which goes through one package and memory node after the other: neighbours are
 * near to each other. Returns how many. */
static int take(node_plan *node, hwloc_obj_type_t type, hwloc_const_bitmap_t allowed,
                int threads, hwloc_bitmap_t chosen)
{
    int taken = 0;
    hwloc_obj_t object = NULL;
    while (taken < threads &&
           (object = hwloc_get_next_obj_by_type(node->topology, type, object)) != NULL) {
        const int processor = first_processor(object, allowed);
        if (processor < 0 || hwloc_bitmap_intersects(object->cpuset, node->taken)) continue;
        (void)hwloc_bitmap_set(chosen, (unsigned)processor);
        (void)hwloc_bitmap_or(node->taken, node->taken, object->cpuset);
        taken++;
    }
    return taken;
}

/* Serves all ranks, those with the least choice first: where their sets are equal, disjoint or
 * one within the other, as launchers make them, that finds a plan if there is one, whichever of
 * its cores a rank takes first: those next to its GPU. What rank `me` gets is in `chosen`. */
static bool share(node_plan *node, hwloc_obj_type_t type, int me, hwloc_bitmap_t chosen)
{
    bool ok = true;
    hwloc_bitmap_zero(node->taken);
    hwloc_bitmap_zero(chosen);
    hwloc_bitmap_t other = hwloc_bitmap_alloc();
    for (int i = 0; i < node->count && ok; i++) {
        const int rank = node->order[i];
        const int threads = node->ranks[rank].threads;
        hwloc_bitmap_t mine = rank == me ? chosen : other;
        const int nearby =
            other != NULL ? take(node, type, node->near[rank], threads, mine) : 0;
        ok = other != NULL &&
             nearby + take(node, type, node->allowed[rank], threads - nearby, mine) == threads;
    }
    hwloc_bitmap_free(other);
    if (!ok) hwloc_bitmap_zero(chosen);
    return ok;
}

/* True if rank `a` is served before `b`: it has less choice, or, with as much, a GPU that it
 * should be near to. */
static bool comes_before(const node_plan *node, int a, int b)
{
    const int choice_a = hwloc_bitmap_weight(node->allowed[a]);
    const int choice_b = hwloc_bitmap_weight(node->allowed[b]);
    if (choice_a != choice_b) return choice_a < choice_b;
    return !hwloc_bitmap_iszero(node->near[a]) && hwloc_bitmap_iszero(node->near[b]);
}

static void sort_ranks(node_plan *node)
{
    for (int i = 0; i < node->count; i++) {
        int at = i;
        while (at > 0 && comes_before(node, i, node->order[at - 1])) {
            node->order[at] = node->order[at - 1];
            at--;
        }
        node->order[at] = i;
    }
}

static void close_node(node_plan *node)
{
    for (int i = 0; node->allowed != NULL && i < node->count; i++)
        hwloc_bitmap_free(node->allowed[i]);
    for (int i = 0; node->near != NULL && i < node->count; i++)
        hwloc_bitmap_free(node->near[i]);
    hwloc_bitmap_free(node->taken);
    hwloc_bitmap_free(node->all);
    cop_memory_free(node->order);
    cop_memory_free(node->near);
    cop_memory_free(node->allowed);
}

/* False where a rank's processors are not known. */
static bool open_node(node_plan *node, hwloc_topology_t topology,
                      const cop_affinity_rank *ranks, int count)
{
    *node = (node_plan){.topology = topology, .ranks = ranks, .count = count};
    node->allowed = cop_memory_alloc((size_t)count, sizeof(hwloc_bitmap_t), NULL);
    node->near = cop_memory_alloc((size_t)count, sizeof(hwloc_bitmap_t), NULL);
    node->order = cop_memory_alloc((size_t)count, sizeof *node->order, NULL);
    node->taken = hwloc_bitmap_alloc();
    node->all = hwloc_bitmap_alloc();
    bool ok = node->allowed != NULL && node->near != NULL && node->order != NULL &&
              node->taken != NULL && node->all != NULL;
    for (int i = 0; i < count && ok; i++) {
        const struct hwloc_obj *const part = cop_affinity_next_to(topology, ranks[i].gpu);
        node->allowed[i] = hwloc_bitmap_alloc();
        node->near[i] = hwloc_bitmap_alloc();
        ok = node->allowed[i] != NULL && node->near[i] != NULL && ranks[i].allowed[0] != '\0' &&
             hwloc_bitmap_list_sscanf(node->allowed[i], ranks[i].allowed) == 0 &&
             hwloc_bitmap_or(node->all, node->all, node->allowed[i]) == 0;
        if (ok && part != NULL)
            ok = hwloc_bitmap_and(node->near[i], node->allowed[i], part->cpuset) == 0;
    }
    if (ok) sort_ranks(node);
    return ok;
}

/* The least quota of the node's ranks, 0 for none. */
static double least_quota(const cop_affinity_rank *ranks, int count)
{
    double least = 0;
    for (int i = 0; i < count; i++) {
        const double quota = ranks[i].cpu_quota;
        if (quota > 0 && (!(least > 0) || quota < least)) least = quota;
    }
    return least;
}

/* What to do about too many threads. */
static cop_status refuse(const cop_affinity_plan *plan, double quota, cop_error *err)
{
    char group[96] = "";
    if (quota > 0 && quota < (double)plan->busy) {
        (void)snprintf(group, sizeof group, ", and its control group allows %.2g cores' time",
                       quota);
    }
    const bool bound_away = plan->busy <= plan->cores_node && plan->busy > plan->cores_allowed;
    return cop_error_set(err, COP_ERR_CONFIG,
                         "%d computing threads on a node where %d of %d cores may be used%s%s; "
                         "start fewer ranks, lower backend.threads, or ask for it with "
                         "--oversubscribe",
                         plan->busy, plan->cores_allowed, plan->cores_node, group,
                         bound_away ? " (a launcher's own binding can be the cause: mpirun "
                                      "--bind-to none)"
                                    : "");
}

static void say_place(cop_affinity_plan *plan, hwloc_topology_t topology,
                      hwloc_const_bitmap_t chosen, bool cores)
{
    char list[64] = "";
    char near[32] = "";
    (void)hwloc_bitmap_list_snprintf(list, sizeof list, chosen);
    hwloc_bitmap_t nodes = hwloc_bitmap_alloc();
    if (nodes != NULL && hwloc_cpuset_to_nodeset(topology, chosen, nodes) == 0 &&
        hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE) > 1) {
        char numbers[16] = "";
        (void)hwloc_bitmap_list_snprintf(numbers, sizeof numbers, nodes);
        (void)snprintf(near, sizeof near, ", memory node %s", numbers);
    }
    hwloc_bitmap_free(nodes);
    const int count = hwloc_bitmap_weight(chosen);
    if (cores) {
        say(plan, "bound to %d of %d cores (processors %s%s)", count, plan->cores_node, list,
            near);
    } else {
        say(plan, "bound to %d hardware threads of %d cores (processors %s%s)", count,
            plan->cores_node, list, near);
    }
}

static cop_status plan_node(node_plan *node, int me, bool oversubscribe,
                            cop_affinity_plan *plan, hwloc_bitmap_t chosen, cop_error *err)
{
    /* Quotas are rounded when they are set. */
    static const double slack = 0.02;
    const double quota = least_quota(node->ranks, node->count);
    const bool in_time = !(quota > 0) || (double)plan->busy <= quota + slack;
    plan->cores_allowed = cop_affinity_count_cores(node->topology, node->all);
    bool cores = share(node, core_type(node->topology), me, chosen);
    plan->fits = cores || share(node, HWLOC_OBJ_PU, me, chosen);
    if (plan->fits && !hwloc_bitmap_iszero(chosen)) {
        say_place(plan, node->topology, chosen, cores);
        plan->bound = true;
        plan->near_gpu = hwloc_bitmap_isincluded(chosen, node->near[me]);
        if (!hwloc_bitmap_iszero(node->near[me])) {
            const char *const gpu = node->ranks[me].gpu;
            say(plan, ", %s to GPU %.*s", plan->near_gpu ? "next" : "not all next",
                (int)strcspn(gpu, "/"), gpu);
        }
    } else if (node->ranks[me].threads == 0) {
        say(plan, "not bound, %d of %d cores allowed", plan->cores_allowed, plan->cores_node);
    } else {
        say(plan, "%d computing threads on %d cores: not bound", plan->busy,
            plan->cores_allowed);
        if (plan->busy <= plan->cores_node) say(plan, " (%d in the machine)", plan->cores_node);
    }
    if (quota > 0 && quota < plan->cores_allowed) {
        say(plan, "; control group allows %.1f cores' time", quota);
    }
    plan->fits = plan->fits && in_time;
    return plan->fits || oversubscribe ? COP_OK : refuse(plan, quota, err);
}

cop_status cop_affinity_plan_on(struct hwloc_topology *topology, const cop_affinity_rank *ranks,
                                int count, int me, bool oversubscribe, cop_affinity_plan *plan,
                                struct hwloc_bitmap_s *chosen, cop_error *err)
{
    *plan = (cop_affinity_plan){0};
    hwloc_bitmap_zero(chosen);
    COP_CHECK(count >= 1 && me >= 0 && me < count, err, COP_ERR_INTERNAL, "local rank %d of %d",
              me, count);
    int64_t busy = 0;
    for (int i = 0; i < count; i++) {
        COP_CHECK(ranks[i].threads >= 0, err, COP_ERR_INTERNAL, "%d threads for a rank",
                  ranks[i].threads);
        busy += ranks[i].threads;
    }
    plan->busy = busy < INT32_MAX ? (int)busy : INT32_MAX;
    plan->cores_node = cop_affinity_count_cores(topology, NULL);
    plan->cores_allowed = plan->cores_node;
    node_plan node;
    cop_status status = COP_OK;
    if (open_node(&node, topology, ranks, count)) {
        status = plan_node(&node, me, oversubscribe, plan, chosen, err);
    } else {
        plan->fits = true; /* nothing is known to speak against it */
        say(plan, "not bound: not every rank of the node could tell its processors");
    }
    close_node(&node);
    return status;
}
