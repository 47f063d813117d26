#include "report/screen.h"

#include "coppice/json/json.h"
#include "coppice/phase/phase.h"

#include <math.h>
#include <stdio.h>

/* /screen as the run file holds it. */
typedef struct screen {
    int64_t judges, finite, by_all, by_none, by_equal, pool;
    uint64_t replaced, support;
    double base_now, base_then;          /* accuracy; NaN: not known */
    double judges_reward, others_reward; /* NaN: not known */
} screen;

static int64_t whole(const cop_store *store, const char *name)
{
    char path[64];
    int64_t value = 0;
    (void)snprintf(path, sizeof path, "/screen/%s", name);
    (void)cop_store_get_i64(store, path, &value);
    return value;
}

static double real(const cop_store *store, const char *path)
{
    double value = NAN;
    (void)cop_store_get_f64(store, path, &value);
    return value;
}

/* False where the run has none, or has not come so far. */
static bool read_screen(const cop_store *store, screen *s)
{
    const cop_store_array *const scores = cop_store_get(store, "/screen/population/scores");
    const cop_store_array *const replaced = cop_store_get(store, "/screen/replaced");
    if (scores == NULL || scores->rank != 2 ||
        !cop_store_get_i64(store, "/screen/judges", &s->judges))
        return false;
    s->finite = whole(store, "finite");
    s->by_all = whole(store, "solved_by_all");
    s->by_none = whole(store, "solved_by_none");
    s->by_equal = whole(store, "equal_reward");
    s->pool = whole(store, "pool");
    s->replaced = replaced == NULL ? 0 : replaced->shape[0];
    s->support = scores->shape[1];
    s->base_now = real(store, "/screen/base_accuracy");
    s->base_then = real(store, "/base/accuracy_support");
    s->judges_reward = real(store, "/screen/judges_reward");
    s->others_reward = real(store, "/screen/others_reward");
    return true;
}

static const char means[] =
    "Means on support are of the examples as they are since then: they compare with each other "
    "and with the base's accuracy on these, not with its first one nor with another run. The "
    "candidates that decided are flattered where most examples are hard, and look worse where "
    "most are easy.";

cop_status cop_screen_print(const cop_store *store, cop_text *text, cop_error *err)
{
    screen s;
    if (!read_screen(store, &s)) return COP_OK;
    COP_TRY(cop_text_format(text, err,
                            "\n  support examples that say nothing\n"
                            "  of %llu the first %lld candidates (%lld with finite logits) "
                            "solve: all %lld, none %lld, for equal rewards %lld\n"
                            "  replaced %llu, of %lld that no split uses; base %.3f before, "
                            "%.3f now\n",
                            (unsigned long long)s.support, (long long)s.judges,
                            (long long)s.finite, (long long)s.by_all, (long long)s.by_none,
                            (long long)s.by_equal, (unsigned long long)s.replaced,
                            (long long)s.pool, s.base_then, s.base_now));
    if (isfinite(s.judges_reward) && isfinite(s.others_reward))
        COP_TRY(cop_text_format(text, err,
                                "  mean score of those who decided %.3f, of the others %.3f\n",
                                s.judges_reward, s.others_reward));
    return s.replaced == 0 ? COP_OK : cop_text_format(text, err, "  %s\n", means);
}

json_t *cop_screen_json(const cop_store *store)
{
    screen s;
    if (!read_screen(store, &s)) return NULL;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:s}", "judges",
                     (json_int_t)s.judges, "finite", (json_int_t)s.finite, "solved_by_all",
                     (json_int_t)s.by_all, "solved_by_none", (json_int_t)s.by_none,
                     "equal_reward", (json_int_t)s.by_equal, "pool", (json_int_t)s.pool,
                     "replaced", (json_int_t)s.replaced, "base_accuracy_before",
                     cop_json_real(s.base_then), "base_accuracy", cop_json_real(s.base_now),
                     "judges_reward", cop_json_real(s.judges_reward), "others_reward",
                     cop_json_real(s.others_reward), "means", means);
}
