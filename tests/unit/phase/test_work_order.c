/* What rank 0 tells the others about a phase and its rows: the same on both sides, few bytes,
 * and damaged messages are refused. */
#include "coppice/phase/work_order.h"

#include "coppice/base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

enum { ROWS = 5 };

typedef struct fixture {
    cop_dataset *dataset;
    cop_splits splits;
    cop_phase phase;
    cop_component components[ROWS * 8];
    cop_row recipes[ROWS];
    size_t examples[64];
} fixture;

static void set_up(fixture *f)
{
    const size_t counts[COP_SPLIT_COUNT] = {20, 10, 10, 10};
    cop_error err = {0};
    *f = (fixture){0};
    assert_int_equal(
        cop_dataset_load("tests/data/countdown-small.jsonl", NULL, &f->dataset, &err), COP_OK);
    assert_int_equal(
        cop_splits_create(cop_dataset_count(f->dataset), counts, 0, 3, NULL, &f->splits, &err),
        COP_OK);
    size_t at = 0;
    for (size_t r = 0; r < ROWS; r++) {
        f->recipes[r] =
            (cop_row){.components = f->components + at, .count = r == 2 ? 0 : r + 1};
        for (size_t j = 0; r != 2 && j <= r; j++)
            f->components[at++] = (cop_component){.seed = UINT64_MAX - 10 * r - j,
                                                  .amplitude = 0.5F + (float)(r * 8 + j)};
    }
    f->phase = (cop_phase){.path = "/test",
                           .examples = f->examples,
                           .row_units = 3,
                           .row_count = ROWS,
                           .recipes = f->recipes};
}

static void take_down(fixture *f)
{
    cop_splits_free(&f->splits);
    cop_dataset_destroy(&f->dataset);
}

static void add_examples(fixture *f, cop_split split, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        f->examples[f->phase.example_count++] = f->splits.examples[split][first + i];
}

/* There and back; the bytes that it took. */
static size_t round_trip(const fixture *f)
{
    cop_text data = {0};
    cop_work_order order;
    cop_error err = {0};
    assert_int_equal(cop_work_order_pack(&f->splits, &f->phase, &data, &err), COP_OK);
    assert_int_equal(cop_work_order_unpack(&f->splits, data.data, data.length, &order, &err),
                     COP_OK);
    assert_int_equal(order.row_units, f->phase.row_units);
    assert_int_equal(order.keeps_answers, f->phase.keeps_answers);
    assert_int_equal(order.unit, f->phase.is_cut ? f->phase.batch : 0);
    assert_true(order.sampling.temperature == f->phase.sampling.temperature);
    assert_true(order.sampling.top_p == f->phase.sampling.top_p);
    assert_true(order.sampling.seed == f->phase.sampling.seed);
    assert_int_equal(order.example_count, f->phase.example_count);
    assert_memory_equal(order.examples, f->examples, order.example_count * sizeof(size_t));
    assert_int_equal(order.trunk_count, f->phase.trunk_count);
    if (order.trunk_count > 0)
        assert_memory_equal(order.trunk, f->phase.trunk,
                            order.trunk_count * sizeof(cop_component));
    cop_work_order_free(&order);
    /* Cut anywhere, or with something behind it, it is refused. */
    for (size_t bytes = 0; bytes < data.length; bytes++) {
        assert_int_equal(cop_work_order_unpack(&f->splits, data.data, bytes, &order, &err),
                         COP_ERR_MPI);
        assert_null(order.examples);
        assert_null(order.trunk);
    }
    const size_t bytes = data.length;
    assert_int_equal(cop_text_append(&data, "x", 1, &err), COP_OK);
    assert_int_equal(cop_work_order_unpack(&f->splits, data.data, data.length, &order, &err),
                     COP_ERR_MPI);
    cop_text_free(&data);
    return bytes;
}

static void examples_travel_as_runs(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    add_examples(&f, COP_SPLIT_SUPPORT, 0, 20);
    assert_int_equal(round_trip(&f), 20); /* a whole split: header and one run */
    add_examples(&f, COP_SPLIT_PROBE, 0, 10);
    assert_int_equal(round_trip(&f), 20); /* splits follow one another */
    add_examples(&f, COP_SPLIT_TEST, 2, 3);
    add_examples(&f, COP_SPLIT_VALIDATE, 7, 1);
    add_examples(&f, COP_SPLIT_VALIDATE, 3, 1);
    assert_int_equal(round_trip(&f), 12 + 4 * 8);
    f.phase.example_count = 0;
    assert_int_equal(round_trip(&f), 12);
    f.phase.keeps_answers = true;
    f.phase.sampling = (cop_sampling){.temperature = 0.7, .top_p = 0.9, .seed = 1ULL << 60};
    assert_int_equal(round_trip(&f), 12 + 24);
    take_down(&f);
}

/* Only a phase whose units are its own says how long they are. */
static void units_of_a_phase_of_its_own_travel(void **state)
{
    (void)state;
    fixture f;
    set_up(&f);
    add_examples(&f, COP_SPLIT_SUPPORT, 0, 20);
    f.phase.batch = 7;
    assert_int_equal(round_trip(&f), 20);
    f.phase.is_cut = true;
    assert_int_equal(round_trip(&f), 24);
    f.phase.sampling = (cop_sampling){.temperature = 0.7, .top_p = 0.9, .seed = 3};
    assert_int_equal(round_trip(&f), 24 + 24);
    cop_text data = {0};
    cop_work_order order;
    cop_error err = {0};
    f.phase.batch = 0;
    assert_int_equal(cop_work_order_pack(&f.splits, &f.phase, &data, &err), COP_OK);
    assert_int_equal(cop_work_order_unpack(&f.splits, data.data, data.length, &order, &err),
                     COP_ERR_MPI);
    cop_text_free(&data);
    take_down(&f);
}

/* What rows have in common is told with the order, and not with each of them. */
static void a_trunk_travels_once(void **state)
{
    (void)state;
    cop_component trunk[] = {{.seed = 1, .amplitude = 2, .factor = COP_IN_SUM},
                             {.seed = UINT64_MAX, .amplitude = -3, .factor = 4},
                             {.seed = 5, .amplitude = 6}};
    fixture f;
    cop_error err = {0};
    set_up(&f);
    add_examples(&f, COP_SPLIT_SUPPORT, 0, 20);
    f.phase.trunk = trunk;
    f.phase.trunk_count = 3;
    assert_int_equal(round_trip(&f), 20 + 4 + 3 * 16);
    f.phase.trunk_count = 2;
    f.phase.is_cut = true;
    f.phase.batch = 7;
    assert_int_equal(round_trip(&f), 24 + 4 + 2 * 16);
    cop_text data = {0};
    cop_work_rows rows;
    for (size_t r = 0; r < ROWS; r++)
        f.recipes[r].on_trunk = r % 2 == 0;
    assert_int_equal(cop_work_rows_pack(&f.phase, 0, 3, &data, &err), COP_OK);
    assert_int_equal(data.length, 3 * 4 + 3 * COP_COMPONENT_BYTES); /* none of the third */
    assert_int_equal(cop_work_rows_unpack(data.data, data.length, 0, 3, &rows, &err), COP_OK);
    for (size_t r = 0; r < 3; r++)
        assert_int_equal(rows.on_trunk[r], f.recipes[r].on_trunk);
    assert_int_equal(rows.ahead, 0);
    cop_work_rows_free(&rows);
    cop_text_free(&data);
    take_down(&f);
}

static void an_example_of_no_split_is_an_error(void **state)
{
    (void)state;
    fixture f;
    cop_text data = {0};
    cop_error err = {0};
    set_up(&f);
    bool used[100000] = {false};
    size_t loose = 0;
    for (int s = 0; s < COP_SPLIT_COUNT; s++) {
        for (size_t i = 0; i < f.splits.counts[s]; i++)
            used[f.splits.examples[s][i]] = true;
    }
    while (used[loose])
        loose++;
    assert_true(loose < cop_dataset_count(f.dataset));
    f.examples[0] = loose;
    f.phase.example_count = 1;
    assert_int_equal(cop_work_order_pack(&f.splits, &f.phase, &data, &err), COP_ERR_INTERNAL);
    assert_non_null(strstr(err.message, "in no split"));
    cop_text_free(&data);
    take_down(&f);
}

static void rows_are_the_same_on_both_sides(void **state)
{
    (void)state;
    fixture f;
    cop_error err = {0};
    set_up(&f);
    for (size_t first = 0; first < ROWS; first++) {
        for (size_t count = 1; first + count <= ROWS; count++) {
            cop_text data = {0};
            cop_work_rows rows;
            size_t components = 0;
            assert_int_equal(cop_work_rows_pack(&f.phase, first, count, &data, &err), COP_OK);
            assert_int_equal(
                cop_work_rows_unpack(data.data, data.length, first, count, &rows, &err),
                COP_OK);
            for (size_t r = 0; r < count; r++) {
                const cop_component *const got = rows.components + rows.start[r];
                assert_int_equal(rows.start[r + 1] - rows.start[r],
                                 cop_phase_row(&f.phase, first + r).count);
                for (size_t j = 0; j < cop_phase_row(&f.phase, first + r).count; j++) {
                    assert_true(got[j].seed ==
                                cop_phase_row(&f.phase, first + r).components[j].seed);
                    assert_true(got[j].amplitude ==
                                cop_phase_row(&f.phase, first + r).components[j].amplitude);
                }
                components += cop_phase_row(&f.phase, first + r).count;
            }
            assert_int_equal(data.length, count * 4 + components * COP_COMPONENT_BYTES);
            cop_work_rows_free(&rows);
            for (size_t bytes = 0; bytes < data.length; bytes++) {
                assert_int_equal(
                    cop_work_rows_unpack(data.data, bytes, first, count, &rows, &err),
                    COP_ERR_MPI);
            }
            cop_text_free(&data);
        }
    }
    take_down(&f);
}

/* Rows along two directions of three, behind a first row of none. */
typedef struct stepped {
    cop_component components[8][4];
    cop_row recipes[8];
    cop_phase phase;
} stepped;

static void set_steps(stepped *s)
{
    *s = (stepped){.phase = {.row_units = 2, .row_count = 8, .recipes = s->recipes}};
    for (size_t r = 0; r < 8; r++) {
        const size_t direction = r < 5 ? 0 : 1;
        s->recipes[r] = (cop_row){.components = s->components[r], .count = r == 0 ? 1 : 4};
        for (size_t j = 0; j < s->recipes[r].count; j++)
            s->components[r][j] = (cop_component){.seed = 100 * direction + j,
                                                  .amplitude = 0.25F * (float)(1 + j),
                                                  .factor = r == 0  ? 0
                                                            : j < 3 ? COP_IN_SUM
                                                                    : 1 + (float)r};
    }
}

static size_t count_ahead(const stepped *s, size_t last, size_t ranks)
{
    cop_text data = {0};
    cop_work_rows rows;
    cop_error err = {0};
    assert_int_equal(cop_work_rows_pack(&s->phase, last, 1, &data, &err), COP_OK);
    assert_int_equal(cop_work_rows_pack_ahead(&s->phase, last, ranks, &data, &err), COP_OK);
    assert_int_equal(cop_work_rows_unpack(data.data, data.length, last, 1, &rows, &err),
                     COP_OK);
    for (size_t i = 0; i < 1 + rows.ahead; i++) {
        const size_t first = last == 0 ? 1 : 5;
        const size_t row = i == 0 ? last : i == 1 ? first : 5;
        assert_int_equal(rows.start[i + 1] - rows.start[i], s->recipes[row].count);
        assert_memory_equal(rows.components + rows.start[i], s->components[row],
                            s->recipes[row].count * sizeof(cop_component));
    }
    const size_t ahead = rows.ahead;
    cop_work_rows_free(&rows);
    cop_text_free(&data);
    return ahead;
}

/* What comes next is told of directions that every rank gets units of. */
static void directions_ahead_are_told(void **state)
{
    (void)state;
    stepped s;
    set_steps(&s);
    assert_int_equal(count_ahead(&s, 0, 1), 2);
    assert_int_equal(count_ahead(&s, 0, 6), 2);
    assert_int_equal(count_ahead(&s, 0, 7), 1); /* three rows of two units are too few */
    assert_int_equal(count_ahead(&s, 0, 9), 0);
    assert_int_equal(count_ahead(&s, 1, 1), 1);
    assert_int_equal(count_ahead(&s, 4, 1), 1);
    assert_int_equal(count_ahead(&s, 5, 1), 0); /* the same direction */
    assert_int_equal(count_ahead(&s, 7, 1), 0);
    for (size_t j = 0; j < 4; j++)
        s.components[5][j].factor = 0; /* a row without a sum ends it */
    assert_int_equal(count_ahead(&s, 0, 1), 1);
}

/* Any bytes at all: an order or an error, nothing else. */
static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    fixture f;
    cop_error err = {0};
    set_up(&f);
    unsigned short random[3] = {1, 2, 3};
    for (int round = 0; round < 20000; round++) {
        unsigned char bytes[64];
        const size_t length = (size_t)(erand48(random) * sizeof bytes);
        for (size_t i = 0; i < length; i++) /* mostly small numbers */
            bytes[i] = i % 4 == 0 ? (unsigned char)(erand48(random) * 24) : 0;
        if (round % 2 == 0 && length > 5) bytes[5] = (unsigned char)(erand48(random) * 256);
        cop_work_order order;
        cop_work_rows rows;
        if (cop_work_order_unpack(&f.splits, bytes, length, &order, &err) == COP_OK) {
            for (size_t i = 0; i < order.example_count; i++)
                assert_true(order.examples[i] < cop_dataset_count(f.dataset));
            cop_work_order_free(&order);
        }
        if (cop_work_rows_unpack(bytes, length, 0, 2, &rows, &err) == COP_OK)
            cop_work_rows_free(&rows);
    }
    take_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_travel_as_runs),
        cmocka_unit_test(units_of_a_phase_of_its_own_travel),
        cmocka_unit_test(a_trunk_travels_once),
        cmocka_unit_test(an_example_of_no_split_is_an_error),
        cmocka_unit_test(rows_are_the_same_on_both_sides),
        cmocka_unit_test(directions_ahead_are_told),
        cmocka_unit_test(random_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
