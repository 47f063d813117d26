/* The calls that a child has been sent, by rising id: found by halving, forgotten from the
 * front once nobody waits for them. The mutex is held. */
#include "child/child_parts.h"

#include <jansson.h>
#include <string.h>

cop_child_call *cop_child_find(cop_child *child, uint64_t id)
{
    size_t low = child->settled;
    size_t high = child->call_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (child->calls[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const bool found = low < child->call_count && child->calls[low].id == id;
    return found && !child->calls[low].gone ? &child->calls[low] : NULL;
}

void cop_child_settle(cop_child *child, cop_child_call *call)
{
    json_decref(call->answer);
    call->answer = NULL;
    call->gone = true;
    cop_child_compact(child);
}

void cop_child_compact(cop_child *child)
{
    while (child->settled < child->call_count && child->calls[child->settled].gone)
        child->settled++;
    if (child->settled == 0 || child->settled * 2 < child->call_count) return;
    child->call_count -= child->settled;
    memmove(child->calls, child->calls + child->settled,
            child->call_count * sizeof *child->calls);
    child->settled = 0;
}
