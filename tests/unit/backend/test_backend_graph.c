/* Decode steps captured in a graph, on the emulated device: how often it is asked, what is run
 * again, what is captured anew, and what its failures become. */
#include "unit/backend/decode_toy.h"

#include <dlfcn.h>

enum { STEPS = 32 };

static const toy_shape shape = {.vocabulary = 23,
                                .heads = 10,
                                .kv_heads = 1,
                                .slots = 10,
                                .length = 120,
                                .most_rows = 9,
                                .seed = 3};

/* What happened on the emulated device so far; see tests/cuda_host. */
static long counted(const char *what)
{
    static long (*count)(const char *);
    if (count == NULL) {
        char path[4100];
        cuda_test_folder("cuda_host", path, sizeof path - sizeof COP_PLUGIN_FILE - 1);
        (void)strcat(strcat(path, "/"), COP_PLUGIN_FILE);
        void *const library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
        assert_non_null(library);
        void *const symbol = dlsym(library, "cuda_host_counted");
        assert_non_null(symbol);
        memcpy(&count, &symbol, sizeof count);
    }
    return count(what);
}

static cop_backend *make_emulated(void)
{
    cop_backend *b = NULL;
    cop_error err = {0};
    must(cuda_test_create("cuda_host", COP_COMPUTE_F32, &b, &err), &err);
    return b;
}

/* Answers of `count` sequences that begin with nothing, none of which ends; false if decoding
 * failed, with the reason in *err. */
static bool answer(toy *t, size_t count, size_t calls, int32_t *ids, cop_error *err)
{
    cop_decode_row rows[9];
    for (size_t r = 0; r < count; r++)
        rows[r] =
            (cop_decode_row){.slot = (int32_t)r, .next = (int32_t)(2 * r), .left = INT32_MAX};
    for (size_t c = 0; c < calls; c++) {
        int32_t *const got = ids + c * STEPS * count;
        const cop_decode decode = toy_decode(t, rows, count, 0);
        if (t->backend->ops->decode(t->backend, &decode, STEPS, got, err) != COP_OK)
            return false;
        for (size_t r = 0; r < count; r++) {
            rows[r].past += STEPS;
            rows[r].next = got[(STEPS - 1) * count + r];
        }
    }
    return true;
}

/* One synchronisation a call; the host issues a step of a shape twice, and no more. */
static void test_replays(void **state)
{
    (void)state;
    static int32_t want[3 * STEPS * 9], got[3 * STEPS * 9];
    cop_error err = {0};
    cop_backend *b = make_emulated();
    toy t;
    toy_create(&t, b, &shape);
    b->decode_steps = 1; /* each step is issued */
    assert_true(answer(&t, 5, 3, want, &err));
    assert_int_equal(t.calls, 3 * STEPS);
    assert_int_equal(counted("captures"), 0);
    b->decode_steps = STEPS;
    const long before = counted("synchronisations");
    assert_true(answer(&t, 5, 3, got, &err));
    assert_int_equal(counted("synchronisations") - before, 3);
    assert_int_equal(t.calls, 3 * STEPS + 2);
    assert_int_equal(counted("captures"), 1);
    assert_int_equal(counted("replays"), 3 * STEPS - 1);
    assert_memory_equal(want, got, 3 * STEPS * 5 * sizeof *got);
    /* Another number of rows is another shape; the first is still known, and 9 rows are as
     * many as there may be. */
    assert_true(answer(&t, 9, 1, got, &err));
    assert_true(answer(&t, 5, 1, got, &err));
    assert_int_equal(counted("captures"), 2);
    assert_int_equal(t.calls, 3 * STEPS + 4);
    assert_memory_equal(want, got, STEPS * 5 * sizeof *got);
    toy_destroy(&t);
    cop_backend_destroy(&b);
    assert_int_equal(counted("graphs"), 0);
}

/* Memory that a graph works on is replaced: nothing old is run. */
static void test_forgotten(void **state)
{
    (void)state;
    static int32_t first[STEPS * 4], other[STEPS * 4], again[STEPS * 4];
    cop_error err = {0};
    cop_backend *b = make_emulated();
    toy t;
    toy_shape changed = shape;
    changed.seed = 4;
    const long captures = counted("captures");
    toy_create(&t, b, &shape);
    assert_true(answer(&t, 4, 1, first, &err));
    toy_destroy(&t);
    assert_int_equal(counted("graphs"), 0);
    toy_create(&t, b, &changed); /* at the same address */
    assert_true(answer(&t, 4, 1, other, &err));
    assert_int_not_equal(memcmp(first, other, sizeof first), 0);
    toy_destroy(&t);
    toy_create(&t, b, &shape);
    assert_true(answer(&t, 4, 1, again, &err));
    assert_memory_equal(first, again, sizeof first);
    /* The head is packed from another place, then from its own again. */
    const size_t v = shape.vocabulary;
    float *const zeros = calloc(v * v, sizeof *zeros);
    cop_buffer *source = make_buffer(b, zeros, v * v, COP_F32);
    cop_buffer *stage = NULL;
    must(b->ops->matrix_commit(b, t.head, 0, source, &err), &err);
    assert_true(answer(&t, 4, 1, again, &err));
    for (size_t i = 0; i < STEPS * 4; i++)
        assert_int_equal(again[i], 0);
    must(b->ops->matrix_stage(b, t.head, &stage, &err), &err);
    must(b->ops->matrix_commit(b, t.head, 0, stage, &err), &err);
    assert_true(answer(&t, 4, 1, again, &err));
    assert_memory_equal(first, again, sizeof first);
    assert_int_equal(counted("captures") - captures, 5);
    b->ops->buffer_destroy(b, &source);
    free(zeros);
    toy_destroy(&t);
    cop_backend_destroy(&b);
    assert_int_equal(counted("graphs"), 0);
}

/* A driver without graphs: every step is issued, and the host still looks once a call. */
static void test_none(void **state)
{
    (void)state;
    static int32_t want[2 * STEPS * 7], got[2 * STEPS * 7];
    cop_error err = {0};
    const long captures = counted("captures");
    for (int none = 0; none < 2; none++) {
        cop_backend *b = make_emulated();
        toy t;
        toy_create(&t, b, &shape);
        if (none == 1) assert_int_equal(setenv("COPPICE_CUDA_HOST_GRAPHS", "none", 1), 0);
        const long before = counted("synchronisations");
        assert_true(answer(&t, 7, 2, none == 1 ? got : want, &err));
        assert_int_equal(counted("synchronisations") - before, 2);
        assert_int_equal(t.calls, none == 1 ? 2 * STEPS : 2);
        toy_destroy(&t);
        cop_backend_destroy(&b);
    }
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_GRAPHS"), 0);
    assert_int_equal(counted("captures") - captures, 1);
    assert_memory_equal(want, got, sizeof want);
}

static void expect_lost(toy *t, const char *what, const char *why)
{
    static int32_t ids[STEPS];
    cop_error err = {0};
    assert_false(answer(t, 1, 1, ids, &err));
    assert_int_equal(err.status, COP_ERR_BACKEND);
    if (strstr(err.message, what) == NULL || strstr(err.message, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", err.message, what, why);
    assert_false(answer(t, 1, 1, ids, &err)); /* for good */
    assert_int_equal(err.status, COP_ERR_BACKEND);
}

/* A graph that cannot be made, or fails when it runs, is a lost device. */
static void test_lost(void **state)
{
    (void)state;
    toy t;
    cop_backend *b = make_emulated();
    toy_create(&t, b, &shape);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_GRAPHS", "full", 1), 0);
    expect_lost(&t, "making a graph", "out of memory");
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_GRAPHS"), 0);
    toy_destroy(&t);
    cop_backend_destroy(&b);
    b = make_emulated();
    toy_create(&t, b, &shape);
    static int32_t ids[STEPS];
    cop_error err = {0};
    assert_true(answer(&t, 1, 1, ids, &err));
    assert_int_equal(setenv("COPPICE_CUDA_HOST_FAIL", "1", 1), 0);
    expect_lost(&t, "a decode step", "launch failure");
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_FAIL"), 0);
    toy_destroy(&t);
    cop_backend_destroy(&b);
    assert_int_equal(counted("graphs"), 0);
}

static bool looks;

/* A step that waits for the device, which a capture does not allow. */
static cop_status step_and_look(void *context, const int32_t *ids, const cop_batch *batch,
                                cop_error *err)
{
    const toy *const t = context;
    int32_t best[9];
    COP_TRY(toy_step(context, ids, batch, err));
    return !looks ? COP_OK
                  : t->backend->ops->argmax(t->backend, t->logits, batch->rows,
                                            t->shape.vocabulary, best, err);
}

/* A step whose second call fails on the host. */
static cop_status step_once(void *context, const int32_t *ids, const cop_batch *batch,
                            cop_error *err)
{
    const toy *const t = context;
    COP_TRY(toy_step(context, ids, batch, err));
    return t->calls == 2 ? cop_error_set(err, COP_ERR_MEMORY, "injected") : COP_OK;
}

/* A failure of the step itself is passed on, and the device goes on; what must not be captured
 * is refused. */
static void test_steps_that_fail(void **state)
{
    (void)state;
    int32_t ids[STEPS];
    cop_error err = {0};
    toy t;
    const cop_decode_row row = {.slot = 0, .next = 1, .left = INT32_MAX};
    cop_backend *b = make_emulated();
    toy_create(&t, b, &shape);
    cop_decode decode = toy_decode(&t, &row, 1, 0);
    decode.step = step_once;
    assert_int_equal(b->ops->decode(b, &decode, STEPS, ids, &err), COP_ERR_MEMORY);
    assert_string_equal(err.message, "injected");
    err = (cop_error){0};
    must(b->ops->decode(b, &decode, STEPS, ids, &err), &err);
    decode.step = step_and_look;
    looks = true;
    must(b->ops->decode(b, &decode, 1, ids, &err), &err); /* issued */
    assert_int_equal(b->ops->decode(b, &decode, 1, ids, &err), COP_ERR_BACKEND);
    assert_non_null(strstr(err.message, "capturing"));
    toy_destroy(&t);
    cop_backend_destroy(&b);
    assert_int_equal(counted("graphs"), 0);
}

static void test_bounds(void **state)
{
    (void)state;
    int32_t ids[2];
    toy t;
    cop_backend *b = make_emulated();
    toy_create(&t, b, &shape);
    const cop_decode_row good = {.slot = 0, .next = 1, .left = 1};
    cop_decode_row rows[4] = {good, good, good, good};
    rows[0].slot = -2;
    rows[1].past = -1;
    rows[2].next = (int32_t)shape.vocabulary;
    rows[3].left = 0;
    for (size_t i = 0; i < 4; i++) {
        cop_error err = {0};
        const cop_decode wrong = toy_decode(&t, &rows[i], 1, 0);
        assert_int_equal(b->ops->decode(b, &wrong, 1, ids, &err), COP_ERR_INTERNAL);
    }
    cop_error err = {0};
    cop_decode decode = toy_decode(&t, &good, 1, 0);
    assert_int_equal(b->ops->decode(b, &decode, STEPS + 1, ids, &err), COP_ERR_INTERNAL);
    decode.most_rows = 0;
    assert_int_equal(b->ops->decode(b, &decode, 1, ids, &err), COP_ERR_INTERNAL);
    /* Outside a decode step there are no ids on the device. */
    assert_int_equal(
        b->ops->embed(b, t.residual, t.table, COP_F32, NULL, 1, shape.vocabulary, 1.0F, &err),
        COP_ERR_INTERNAL);
    decode = toy_decode(&t, &good, 1, 0);
    must(b->ops->decode(b, &decode, 1, ids, &err), &err);
    toy_destroy(&t);
    cop_backend_destroy(&b);
}

/* More shapes than are kept. */
static void test_many_shapes(void **state)
{
    (void)state;
    static int32_t want[STEPS], got[STEPS];
    cop_error err = {0};
    toy t;
    cop_backend *b = make_emulated();
    toy_create(&t, b, &shape);
    const cop_decode_row row = {.slot = 0, .next = 1, .left = INT32_MAX};
    cop_decode decode = toy_decode(&t, &row, 1, 0);
    double uniform[STEPS];
    for (size_t i = 0; i < STEPS; i++)
        uniform[i] = 0.4;
    must(b->ops->decode(b, &decode, STEPS, want, &err), &err);
    for (int i = 1; i <= 70; i++) {
        decode.draw = (cop_draw){.temperature = i, .top_p = 1, .uniform = uniform};
        must(b->ops->decode(b, &decode, 3, got, &err), &err);
        assert_in_range(counted("graphs"), 1, 64);
    }
    decode.draw = (cop_draw){0};
    must(b->ops->decode(b, &decode, STEPS, got, &err), &err);
    assert_memory_equal(want, got, sizeof want);
    toy_destroy(&t);
    cop_backend_destroy(&b);
    assert_int_equal(counted("graphs"), 0);
}

/* Keeps the library in, so that its counts can be read at any time. */
static int load(void **state)
{
    (void)state;
    cop_backend *b = make_emulated();
    cop_backend_destroy(&b);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replays),     cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_none),        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_bounds),      cmocka_unit_test(test_steps_that_fail),
        cmocka_unit_test(test_many_shapes),
    };
    return cmocka_run_group_tests_name("backend graph", tests, load, NULL);
}
