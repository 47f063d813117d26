/* Drawing tokens: the distribution against a plain reference, and the same on every backend. */
#include "unit/backend/backend_support.h"

#include "coppice/noise/noise.h"

enum { V = 60, DRAWS = 20000 };

static void draw_rows(cop_backend *b, const float *logits, size_t rows, size_t vocabulary,
                      const cop_draw *draw, int32_t *ids)
{
    cop_error err = {0};
    cop_buffer *const buffer = make_buffer(b, logits, rows * vocabulary, b->output);
    must(b->ops->sample(b, buffer, rows, vocabulary, draw, ids, &err), &err);
    drop_buffers(b, &buffer, 1);
}

/* --- the plain reference --- */

/* The order in which tokens are walked, their probabilities, and how many take part. */
typedef struct reference {
    size_t order[V];
    double share[V]; /* of order[i], summing to 1 over the first `kept` */
    size_t kept;
} reference;

static reference make_reference(const float *row, double temperature, double top_p)
{
    reference r = {.kept = V};
    double top = (double)row[0];
    double sum = 0;
    for (size_t i = 0; i < V; i++)
        top = fmax(top, (double)row[i]);
    for (size_t i = 0; i < V; i++) {
        r.order[i] = i;
        sum += exp(((double)row[i] - top) / temperature);
    }
    for (size_t i = 1; i < V && top_p < 1; i++) {
        const size_t id = r.order[i];
        size_t at = i;
        for (; at > 0 && row[r.order[at - 1]] < row[id]; at--)
            r.order[at] = r.order[at - 1];
        r.order[at] = id;
    }
    double reached = 0;
    for (size_t i = 0; i < V; i++) {
        r.share[i] = exp(((double)row[r.order[i]] - top) / temperature) / sum;
        reached += r.share[i];
        if (top_p >= 1 || reached < top_p || r.kept < V) continue;
        r.kept = i + 1;
        for (size_t j = 0; j <= i; j++)
            r.share[j] /= reached;
    }
    return r;
}

/* The place in the walk that u falls on, -1 where it is too near to a border to tell. */
static int place_of(const reference *r, double u)
{
    double sum = 0;
    for (size_t i = 0; i < r->kept; i++) {
        sum += r->share[i];
        if (fabs(u - sum) < 1e-6 && i + 1 < r->kept) return -1;
        if (u < sum || i + 1 == r->kept) return (int)i;
    }
    return -1;
}

/* The deviate (about standard normal, by Wilson and Hilferty's cube root) of Pearson's
 * statistic of counts; cells that expect less than 5 are put together. */
static double chi_square_deviate(const reference *r, const size_t *counts, double draws)
{
    double statistic = 0;
    double rare = 0;
    double rare_seen = 0;
    double freedom = -1;
    for (size_t i = 0; i < r->kept; i++) {
        const double expected = r->share[i] * draws;
        const double seen = (double)counts[r->order[i]];
        if (expected < 5) {
            rare += expected;
            rare_seen += seen;
            continue;
        }
        statistic += (seen - expected) * (seen - expected) / expected;
        freedom++;
    }
    if (rare > 5) {
        statistic += (rare_seen - rare) * (rare_seen - rare) / rare;
        freedom++;
    }
    if (freedom < 1) return 0;
    const double spread = 2.0 / (9.0 * freedom);
    return (cbrt(statistic / freedom) - (1.0 - spread)) / sqrt(spread);
}

static void check_distribution(cop_backend *b, size_t draws, const float *row,
                               double temperature, double top_p, uint64_t seed)
{
    static float logits[DRAWS * V];
    static double uniform[DRAWS];
    static int32_t ids[DRAWS];
    const reference r = make_reference(row, temperature, top_p);
    size_t counts[V] = {0};
    size_t unsure = 0;
    for (size_t t = 0; t < draws; t++) {
        memcpy(logits + t * V, row, V * sizeof *row);
        uniform[t] = cop_noise_uniform(seed, COP_STREAM_SAMPLING, 3, t);
    }
    const cop_draw draw = {temperature, top_p, uniform};
    draw_rows(b, logits, draws, V, &draw, ids);
    for (size_t t = 0; t < draws; t++) {
        assert_in_range(ids[t], 0, V - 1);
        counts[ids[t]]++;
        const int place = place_of(&r, uniform[t]);
        unsure += place < 0;
        if (place >= 0 && (size_t)ids[t] != r.order[place]) {
            fail_msg("T %g, top-p %g, u %.9f: id %d, not %zu", temperature, top_p, uniform[t],
                     (int)ids[t], r.order[place]);
        }
    }
    assert_true(unsure <= draws / 1000);
    const double deviate = chi_square_deviate(&r, counts, (double)draws);
    if (!(fabs(deviate) < 4)) fail_msg("T %g, top-p %g: %g sigma", temperature, top_p, deviate);
}

static void test_distribution(void **state)
{
    const backend_case *const c = *state;
    const size_t draws = c->emulated ? DRAWS / 40 : DRAWS;
    pair p = make_pair(c);
    rng r = {31};
    float *const row = make_floats(&r, V, true);
    for (size_t i = 0; i < V; i++)
        row[i] = row[i] * 4.0F + 30.0F;
    row[17] = row[4]; /* equals, also at the border of some nucleus */
    static const double temperatures[] = {0.2, 0.7, 1.0, 5.0};
    static const double shares[] = {1.0, 0.95, 0.5, 0.1, 1e-9};
    uint64_t seed = 1;
    for (size_t t = 0; t < 4; t++)
        for (size_t s = 0; s < 5; s++)
            check_distribution(p.b[0], draws, row, temperatures[t], shares[s], seed++);
    free(row);
    drop_pair(&p);
}

/* --- edges --- */

/* The smallest nucleus and the lowest temperature are the greatest logit, the first of equals.
 */
static void test_greedy_limits(void **state)
{
    pair p = make_pair(*state);
    rng r = {32};
    float *const row = make_floats(&r, V, true);
    row[40] = row[9] = 7.0F;
    static const double uniform[] = {1e-16, 0.3, 0.999999999};
    static const double edges[][2] = {{1, 1e-300}, {1, 1e-9}, {1e-300, 0.4}, {1e-45, 1e-9}};
    for (size_t e = 0; e < 4; e++) {
        for (size_t u = 0; u < 3; u++) {
            int32_t id = -2;
            const cop_draw draw = {edges[e][0], edges[e][1], &uniform[u]};
            draw_rows(p.b[0], row, 1, V, &draw, &id);
            assert_int_equal(id, 9);
        }
    }
    row[40] = 6.9375F;
    for (size_t u = 0; u < 3; u++) {
        int32_t id = -2;
        const cop_draw cold = {1e-5, 1, &uniform[u]};
        draw_rows(p.b[0], row, 1, V, &cold, &id);
        assert_int_equal(id, 9);
        const cop_draw one = {1, 1, &uniform[u]};
        draw_rows(p.b[0], row, 1, 1, &one, &id);
        assert_int_equal(id, 0);
    }
    free(row);
    drop_pair(&p);
}

static void test_special(void **state)
{
    pair p = make_pair(*state);
    const double uniform = 0.5;
    float row[V] = {0};
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < V; i += 7) {
            for (int cut = 0; cut < 2; cut++) {
                int32_t id = -2;
                const cop_draw draw = {0.7, cut == 0 ? 1 : 0.9, &uniform};
                row[i] = bad[k];
                draw_rows(p.b[0], row, 1, V, &draw, &id);
                assert_int_equal(id, -1);
                row[i] = 0;
            }
        }
    }
    /* Distances that overflow binary32. */
    row[5] = 3e38F;
    row[6] = -3e38F;
    int32_t id = -2;
    const cop_draw draw = {0.01, 0.9, &uniform};
    draw_rows(p.b[0], row, 1, V, &draw, &id);
    assert_int_equal(id, 5);
    drop_pair(&p);
}

/* Many rows of a wide vocabulary: bit for bit the reference backend's ids. */
static void test_same_everywhere(void **state)
{
    pair p = make_pair(*state);
    rng r = {33};
    enum { WIDE = 3001, T = 29 };
    float *const logits = make_floats(&r, (size_t)T * WIDE, true);
    double uniform[T];
    for (size_t t = 0; t < T; t++) {
        uniform[t] = cop_noise_uniform(9, COP_STREAM_SAMPLING, 0, t);
        for (size_t v = 0; v < WIDE; v++)
            logits[t * WIDE + v] *= (float)(t + 1);
    }
    logits[7 * WIDE + 2999] = NAN;
    static const double shares[] = {1.0, 0.999, 0.8};
    for (size_t s = 0; s < 3; s++) {
        int32_t ids[2][T];
        const cop_draw draw = {0.9, shares[s], uniform};
        draw_rows(p.b[0], logits, T, WIDE, &draw, ids[0]);
        draw_rows(p.b[0], logits, 0, WIDE, &draw, ids[0]);
        draw_rows(p.b[1], logits, T, WIDE, &draw, ids[1]);
        assert_memory_equal(ids[0], ids[1], sizeof ids[0]);
        assert_int_equal(ids[0][7], -1);
    }
    free(logits);
    drop_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_greedy_limits),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_same_everywhere),
    };
    return run_backend_tests("backend sample", tests, sizeof tests / sizeof tests[0]);
}
