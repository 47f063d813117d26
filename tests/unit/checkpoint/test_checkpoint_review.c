/* A model's files that somebody writes to while they are mapped: which tensor it was. */
#include "unit/formats_support.h"

#include "coppice/checkpoint/checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

enum { BYTES = 75 };

static const char first_file[] = "model-1.safetensors";
static const char second_file[] = "model-2.safetensors";
static char content[3][BYTES];
static const spec tensors[] = {{"b", "U8", "[75]", content[0], BYTES},
                               {"a", "U8", "[40]", content[1], 40},
                               {"c", "U8", "[1]", content[2], 1}};

typedef struct folder {
    char *dir, *paths[2];
    cop_checkpoint *checkpoint;
    char hex[COP_DIGEST_HEX_BYTES];
} folder;

static folder open_marked(void)
{
    folder f = {.dir = scratch_make()};
    for (int i = 0; i < BYTES; i++)
        content[0][i] = content[1][i] = content[2][i] = (char)i;
    write_safetensors(f.dir, first_file, &tensors[0], 1, 0);
    write_safetensors(f.dir, second_file, &tensors[1], 2, 0);
    write_text(
        f.dir, "model.safetensors.index.json",
        "{\"metadata\":{\"total_size\":116},\"weight_map\":{\"b\":\"model-1.safetensors\","
        "\"a\":\"model-2.safetensors\",\"c\":\"model-2.safetensors\"}}");
    f.paths[0] = path_in(f.dir, first_file);
    f.paths[1] = path_in(f.dir, second_file);
    assert_int_equal(cop_checkpoint_open(f.dir, &f.checkpoint, NULL), COP_OK);
    assert_int_equal(cop_checkpoint_mark(f.checkpoint, f.hex, NULL), COP_OK);
    return f;
}

static void close_folder(folder *f)
{
    cop_checkpoint_close(&f->checkpoint);
    cop_memory_free(f->paths[0]);
    cop_memory_free(f->paths[1]);
    scratch_remove(f->dir);
}

/* One bit of a tensor, in the file. */
static void flip(const folder *f, const char *name, size_t at)
{
    const cop_tensor_info *const info = cop_checkpoint_find(f->checkpoint, name);
    const int fd = open(cop_checkpoint_file_path(f->checkpoint, info->file), O_RDWR);
    char byte;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)(info->offset + at)), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)(info->offset + at)), 1);
    assert_int_equal(close(fd), 0);
}

static void set_time(const char *path, time_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void expect_review(const folder *f, cop_status status, const char *words)
{
    cop_error err = {0};
    const char *touched = NULL;
    const cop_status got = cop_checkpoint_review(f->checkpoint, &touched, &err);
    const char *const said = status != COP_OK ? err.message : touched != NULL ? touched : "";
    if (got != status || (words == NULL ? said[0] != '\0' : strstr(said, words) == NULL))
        fail_msg("%s: '%s', not %s: '%s'", cop_status_name(got), said, cop_status_name(status),
                 words == NULL ? "" : words);
}

static void the_digest_is_the_same_with_marks(void **state)
{
    (void)state;
    folder f = open_marked();
    char hex[COP_DIGEST_HEX_BYTES];
    const cop_tensor_info *first = NULL;
    assert_int_equal(cop_checkpoint_digest(f.checkpoint, hex, NULL), COP_OK);
    assert_string_equal(hex, f.hex);
    assert_int_equal(cop_checkpoint_find_changed(f.checkpoint, &first), 0);
    assert_null(first);
    expect_review(&f, COP_OK, NULL);
    close_folder(&f);
}

/* Every byte counts, behind the last whole word too; and a file whose time was put back is
 * found by who looks at its tensors. */
static void each_byte_shows(void **state)
{
    (void)state;
    folder f = open_marked();
    const cop_tensor_info *first = NULL;
    for (size_t i = 0; i < 3; i++) {
        for (size_t at = 0; at < tensors[i].bytes; at++) {
            flip(&f, tensors[i].name, at);
            assert_int_equal(cop_checkpoint_find_changed(f.checkpoint, &first), 1);
            assert_string_equal(first->name, tensors[i].name);
            flip(&f, tensors[i].name, at);
        }
    }
    assert_int_equal(cop_checkpoint_find_changed(f.checkpoint, &first), 0);
    close_folder(&f);
}

static void the_changed_tensors_are_named(void **state)
{
    (void)state;
    folder f = open_marked();
    flip(&f, "c", 0);
    set_time(f.paths[1], 1000);
    expect_review(&f, COP_ERR_MISMATCH, "its tensor c is another now (1 of 3 tensors are)");
    expect_review(&f, COP_ERR_MISMATCH, f.paths[1]);
    flip(&f, "b", 30);
    expect_review(&f, COP_ERR_MISMATCH, "its tensor b is another now (2 of 3 tensors are)");
    expect_review(&f, COP_ERR_MISMATCH, f.paths[0]);
    flip(&f, "a", 39);
    expect_review(&f, COP_ERR_MISMATCH, "its tensor a is another now (3 of 3 tensors are)");
    close_folder(&f);
}

static void a_touch_is_told_of_once(void **state)
{
    (void)state;
    folder f = open_marked();
    set_time(f.paths[1], 1000);
    assert_int_equal(cop_checkpoint_check_unchanged(f.checkpoint, NULL), COP_ERR_IO);
    expect_review(&f, COP_OK, f.paths[1]);
    expect_review(&f, COP_OK, NULL);
    assert_int_equal(cop_checkpoint_check_unchanged(f.checkpoint, NULL), COP_OK);
    set_time(f.paths[0], 2000);
    expect_review(&f, COP_OK, f.paths[0]);
    expect_review(&f, COP_OK, NULL);
    close_folder(&f);
}

/* What is written at the very time of a write that was looked at does not hide behind it. */
static void a_second_write_at_the_same_time_shows(void **state)
{
    (void)state;
    folder f = open_marked();
    const time_t now = time(NULL);
    set_time(f.paths[0], now);
    expect_review(&f, COP_OK, f.paths[0]);
    expect_review(&f, COP_OK, NULL);
    flip(&f, "b", 1);
    set_time(f.paths[0], now);
    expect_review(&f, COP_ERR_MISMATCH, "its tensor b is another now (1 of 3");
    close_folder(&f);
}

static void other_sizes_are_refused(void **state)
{
    (void)state;
    folder f = open_marked();
    struct stat info;
    assert_int_equal(stat(f.paths[0], &info), 0);
    assert_int_equal(truncate(f.paths[0], info.st_size + 1), 0);
    expect_review(&f, COP_ERR_IO, f.paths[0]);
    assert_int_equal(truncate(f.paths[0], info.st_size - 1), 0);
    expect_review(&f, COP_ERR_IO, "when it was opened");
    close_folder(&f);
}

static void marks_travel(void **state)
{
    (void)state;
    folder f = open_marked();
    cop_checkpoint *other = NULL;
    const cop_tensor_info *first = NULL;
    cop_error err = {0};
    assert_int_equal(cop_checkpoint_open(f.dir, &other, NULL), COP_OK);
    assert_null(cop_checkpoint_marks(other));
    const char *touched = NULL;
    set_time(f.paths[0], 1000);
    assert_int_equal(cop_checkpoint_review(other, &touched, &err), COP_ERR_IO);
    const uint64_t *const marks = cop_checkpoint_marks(f.checkpoint);
    assert_int_equal(cop_checkpoint_set_marks(other, marks, 2, NULL), COP_OK);
    assert_null(cop_checkpoint_marks(other));
    assert_int_equal(cop_checkpoint_set_marks(other, marks, 3, NULL), COP_OK);
    assert_int_equal(cop_checkpoint_review(other, &touched, NULL), COP_OK);
    assert_string_equal(touched, f.paths[0]);
    flip(&f, "a", 5);
    assert_int_equal(cop_checkpoint_find_changed(other, &first), 1);
    assert_string_equal(first->name, "a");
    cop_checkpoint_close(&other);
    close_folder(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digest_is_the_same_with_marks),
        cmocka_unit_test(each_byte_shows),
        cmocka_unit_test(the_changed_tensors_are_named),
        cmocka_unit_test(a_touch_is_told_of_once),
        cmocka_unit_test(a_second_write_at_the_same_time_shows),
        cmocka_unit_test(other_sizes_are_refused),
        cmocka_unit_test(marks_travel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
