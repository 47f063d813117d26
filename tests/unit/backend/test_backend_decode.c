/* Decode steps of every backend against the reference, one step at a time: random shapes, stops
 * and limits, greedy and drawn, looked at after any number of steps. */
#include "unit/backend/decode_toy.h"

#include "coppice/noise/noise.h"

enum {
    MOST_COUNT = 21,
    MOST_PREFIX = 20,
    MOST_OWN = 12,
    MOST_NEW = 40,
    MOST_CHUNK = 32,
    MOST_SCENES = 40
};

typedef struct scene {
    toy_shape shape;
    size_t count;
    int32_t prefix;
    int32_t prefix_ids[MOST_PREFIX];
    int32_t own[MOST_COUNT][MOST_OWN];
    cop_decode_row rows[MOST_COUNT];
    int32_t stops[TOY_SIZE];
    size_t stop_count;
    double temperature, top_p;
} scene;

/* Answers; an id that is not one ends it and is its last. */
typedef struct answers {
    int32_t ids[MOST_COUNT][MOST_NEW];
    size_t lengths[MOST_COUNT];
} answers;

static double uniform_of(size_t row, size_t position)
{
    return cop_noise_uniform(5, COP_STREAM_SAMPLING, (uint32_t)row, position);
}

static void make_rows(scene *s, rng *r)
{
    int32_t longest = 1;
    const size_t usable = s->shape.vocabulary - (s->shape.has_bad ? 1 : 0);
    for (int32_t i = 0; i < s->prefix; i++)
        s->prefix_ids[i] = (int32_t)(rng_next(r) % usable);
    for (size_t q = 0; q < s->count; q++) {
        const int32_t own = (int32_t)rng_between(r, 0, MOST_OWN);
        for (int32_t i = 0; i < own; i++)
            s->own[q][i] = (int32_t)(rng_next(r) % usable);
        /* Slots in falling order, so that a row's number is not its slot. */
        s->rows[q] =
            (cop_decode_row){.slot = (int32_t)(s->count - 1 - q),
                             .past = s->prefix + own,
                             .next = (int32_t)(rng_next(r) % usable),
                             .left = (int32_t)rng_between(r, 1, q % 4 == 0 ? 2 : MOST_NEW)};
        if (s->shape.has_bad && q % 5 == 1) s->rows[q].next = (int32_t)usable;
        const int32_t fed = s->rows[q].past + s->rows[q].left;
        if (fed > longest) longest = fed;
    }
    /* Not one position more than the longest needs. */
    s->shape.length = (size_t)(longest > s->prefix ? longest : s->prefix);
}

/* Kind 0 never stops, 1 stops by and by, 2 stops at once as often as not. */
static void make_stops(scene *s, rng *r, size_t kind)
{
    s->stop_count = 0;
    for (size_t id = 0; id < s->shape.vocabulary; id++) {
        if (kind != 0 && rng_next(r) % (kind == 1 ? 12 : 2) == 0)
            s->stops[s->stop_count++] = (int32_t)id;
    }
}

static void make_scene(scene *s, rng *r, size_t index)
{
    *s = (scene){.count = index % 5 == 0 ? 1 : rng_between(r, 2, MOST_COUNT),
                 .prefix = index % 2 == 0 ? 0 : (int32_t)rng_between(r, 1, MOST_PREFIX),
                 .temperature = index % 3 == 0 ? 0 : 0.7,
                 .top_p = index % 3 == 1 ? 1 : 0.9};
    const int32_t kv_heads = (int32_t)rng_between(r, 1, 2);
    s->shape = (toy_shape){.vocabulary = rng_between(r, 2, TOY_SIZE),
                           .heads = kv_heads * (int32_t)rng_between(r, 1, 10),
                           .kv_heads = kv_heads,
                           .window = index % 4 == 3 ? (int32_t)rng_between(r, 1, 20) : 0,
                           .slots = s->count + 1,
                           .most_rows = rng_between(r, s->count, TOY_MOST_ROWS),
                           .seed = rng_next(r),
                           .has_bad = index % 4 == 1};
    make_rows(s, r);
    make_stops(s, r, rng_next(r) % 3);
}

static void feed_prompts(toy *t, const scene *s)
{
    toy_feed(t, s->prefix_ids,
             (cop_span){.slot = (int32_t)s->shape.slots - 1, .rows = s->prefix}, s->prefix);
    for (size_t q = 0; q < s->count; q++) {
        toy_feed(t, s->own[q],
                 (cop_span){.slot = s->rows[q].slot,
                            .rows = s->rows[q].past - s->prefix,
                            .past = s->prefix},
                 s->prefix);
    }
}

static bool ends(const scene *s, const answers *a, size_t q)
{
    const size_t length = a->lengths[q];
    if (length == 0) return false;
    const int32_t last = a->ids[q][length - 1];
    for (size_t i = 0; i < s->stop_count; i++) {
        if (s->stops[i] == last) return true;
    }
    return last < 0 || length == (size_t)s->rows[q].left;
}

/* Rows that have not ended; returns their number. */
static size_t list_rows(const scene *s, const answers *a, cop_decode_row *rows, size_t *owners)
{
    size_t count = 0;
    for (size_t q = 0; q < s->count; q++) {
        if (ends(s, a, q)) continue;
        cop_decode_row row = s->rows[q];
        const size_t length = a->lengths[q];
        row.past += (int32_t)length;
        row.left -= (int32_t)length;
        if (length > 0) row.next = a->ids[q][length - 1];
        owners[count] = q;
        rows[count++] = row;
    }
    return count;
}

/* What decode gave for one row: its ids, and nothing after its end. */
static void take_row(const scene *s, answers *a, size_t q, const int32_t *ids, size_t stride,
                     size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        const int32_t id = ids[i * stride];
        if (ends(s, a, q)) {
            assert_int_equal(id, COP_DECODE_NONE);
            continue;
        }
        assert_in_range(id + 1, 0, s->shape.vocabulary);
        a->ids[q][a->lengths[q]++] = id;
    }
}

/* Answers on a backend, looked at after 1 .. most_steps steps. */
static void answer(cop_backend *b, const scene *s, rng *r, size_t most_steps, answers *a)
{
    toy t;
    cop_decode_row rows[MOST_COUNT];
    size_t owners[MOST_COUNT];
    static int32_t ids[MOST_CHUNK * MOST_COUNT];
    static double uniform[MOST_CHUNK * MOST_COUNT];
    memset(a, 0, sizeof *a);
    toy_create(&t, b, &s->shape);
    feed_prompts(&t, s);
    for (;;) {
        cop_error err = {0};
        const size_t count = list_rows(s, a, rows, owners);
        if (count == 0) break;
        const size_t steps = rng_between(r, 1, most_steps);
        for (size_t i = 0; i < steps * count; i++)
            uniform[i] =
                uniform_of(owners[i % count], a->lengths[owners[i % count]] + i / count);
        cop_decode decode = toy_decode(&t, rows, count, s->prefix);
        decode.stops = s->stops;
        decode.stop_count = s->stop_count;
        decode.draw = (cop_draw){s->temperature, s->top_p, uniform};
        must(b->ops->decode(b, &decode, steps, ids, &err), &err);
        for (size_t i = 0; i < count; i++)
            take_row(s, a, owners[i], ids + i, count, steps);
    }
    toy_destroy(&t);
}

/* The reference's answers, which are the same whatever they are compared with: once for all. */
static const answers *reference(const scene *s, size_t index)
{
    static answers all[MOST_SCENES];
    static bool known[MOST_SCENES];
    if (!known[index]) {
        rng r = {43};
        cop_backend *b = NULL;
        cop_error err = {0};
        must(cop_backend_create_ref(&b, &err), &err);
        answer(b, s, &r, 1, &all[index]);
        cop_backend_destroy(&b);
        known[index] = true;
    }
    return &all[index];
}

static void test_answers(void **state)
{
    const backend_case *const c = *state;
    const bool is_plain = c->create == create_cpu && c->isa == COP_ISA_SCALAR;
    const size_t scenes = c->emulated ? 8 : is_plain ? 12 : MOST_SCENES;
    cop_backend *b = make_backend(c);
    rng r = {41};
    size_t lengths[3] = {0}; /* answers that ended at once, in the middle, by their limit */
    size_t bad = 0;
    for (size_t i = 0; i < scenes; i++) {
        scene s;
        static answers got;
        rng of_scene = {41 + i};
        make_scene(&s, &of_scene, i);
        const answers *const want = reference(&s, i);
        const size_t most_steps[] = {MOST_CHUNK, 3, 1};
        for (size_t k = 0; k < 3; k++) {
            answer(b, &s, &r, most_steps[k], &got);
            assert_memory_equal(want, &got, sizeof got);
        }
        for (size_t q = 0; q < s.count; q++) {
            const size_t length = want->lengths[q];
            lengths[length == (size_t)s.rows[q].left ? 2 : length > 1]++;
            bad += want->ids[q][length - 1] < 0;
        }
    }
    for (size_t k = 0; k < 3; k++)
        assert_in_range(lengths[k], scenes / 4, 100 * scenes);
    assert_in_range(bad, 1, 100 * scenes);
    cop_backend_destroy(&b);
}

/* Nothing to do is no failure and asks for no step. */
static void test_empty(void **state)
{
    cop_backend *b = make_backend(*state);
    toy t;
    cop_error err = {0};
    const toy_shape shape = {.vocabulary = 5,
                             .heads = 1,
                             .kv_heads = 1,
                             .slots = 2,
                             .length = 4,
                             .most_rows = 3,
                             .seed = 1};
    toy_create(&t, b, &shape);
    const cop_decode_row row = {.slot = 0, .past = 0, .next = 1, .left = 2};
    const cop_decode nothing = toy_decode(&t, NULL, 0, 0);
    const cop_decode one = toy_decode(&t, &row, 1, 0);
    int32_t id = 77;
    must(b->ops->decode(b, &nothing, 1, NULL, &err), &err);
    must(b->ops->decode(b, &one, 0, &id, &err), &err);
    assert_int_equal(t.calls, 0);
    assert_int_equal(id, 77);
    must(b->ops->decode(b, &one, 1, &id, &err), &err);
    assert_in_range(id, 0, 4);
    toy_destroy(&t);
    cop_backend_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_empty)};
    return run_backend_tests("backend decode", tests, sizeof tests / sizeof tests[0]);
}
