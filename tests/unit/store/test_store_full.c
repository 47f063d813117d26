/* Writing that fails leaves the old file and its predecessor as they were, and nothing else. */
#include "unit/store/store_support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { SMALL = 10, LARGE = 3000 };

/* Generations 1 and 2 in place of those of an earlier test. */
static void prepare(const char *path)
{
    write_generation(path, 1, SMALL);
    write_generation(path, 2, SMALL);
}

static void assert_untouched(const char *path)
{
    char other[600];
    assert_int_equal(read_generation(path, SMALL), 2);
    (void)snprintf(other, sizeof other, "%s.prev", path);
    assert_int_equal(read_generation(other, SMALL), 1);
    (void)snprintf(other, sizeof other, "%s.tmp", path);
    assert_false(file_exists(other));
    (void)snprintf(other, sizeof other, "%s.prev.tmp", path);
    assert_false(file_exists(other));
}

/* Tries to write generation 3; *err tells why not. */
static cop_status try_write(const char *path, size_t rows, cop_error *err)
{
    cop_store *store = make_tree(3, rows);
    *err = (cop_error){0};
    const cop_status status = cop_store_write(store, path, err);
    assert_int_equal(status, err->status);
    cop_store_destroy(&store);
    return status;
}

static void assert_fails(const char *path, const char *remedy)
{
    cop_error err;
    assert_int_equal(try_write(path, LARGE, &err), COP_ERR_IO);
    if (strstr(err.message, remedy) == NULL) print_error("'%s': %s\n", remedy, err.message);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, remedy));
    assert_untouched(path);
}

static void test_file_size_limit(void **state)
{
    (void)state;
    const char *const path = in_folder("limit.h5");
    struct rlimit before;
    prepare(path);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit limit = {65536, before.rlim_max};
    void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_fails(path, "ulimit -f");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(signal(SIGXFSZ, handler) != SIG_ERR);
    write_generation(path, 3, LARGE);
    assert_int_equal(read_generation(path, LARGE), 3);
}

static void test_places(void **state)
{
    (void)state;
    cop_error err;
    assert_int_equal(try_write(in_folder("no/such/run.h5"), SMALL, &err), COP_ERR_IO);
    assert_non_null(strstr(err.message, "no/such/run.h5"));
    assert_non_null(strstr(err.message, "create its directory"));
    /* directories where files should be */
    const char *const path = in_folder("place.h5");
    prepare(path);
    assert_int_equal(mkdir(in_folder("place.h5.tmp"), 0700), 0);
    assert_int_equal(try_write(path, SMALL, &err), COP_ERR_IO);
    assert_int_equal(rmdir(in_folder("place.h5.tmp")), 0);
    assert_untouched(path);
    assert_int_equal(mkdir(in_folder("place.h5.prev.tmp"), 0700), 0);
    assert_int_equal(try_write(path, SMALL, &err), COP_ERR_IO);
    assert_non_null(strstr(err.message, "place.h5.prev.tmp"));
    assert_int_equal(rmdir(in_folder("place.h5.prev.tmp")), 0);
    assert_untouched(path);
    assert_int_equal(mkdir(in_folder("dir.h5"), 0700), 0);
    assert_int_equal(try_write(in_folder("dir.h5"), SMALL, &err), COP_ERR_IO);
    assert_false(file_exists(in_folder("dir.h5.tmp")));
}

/* A stale temporary file that is a link is replaced, not written through. */
static void test_linked_temporary(void **state)
{
    (void)state;
    const char *const precious = in_folder("precious");
    FILE *const file = fopen(precious, "w");
    assert_non_null(file);
    assert_true(fputs("precious", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(symlink(precious, in_folder("link.h5.tmp")), 0);
    write_generation(in_folder("link.h5"), 1, SMALL);
    struct stat info;
    assert_int_equal(stat(precious, &info), 0);
    assert_int_equal(info.st_size, 8);
    assert_int_equal(lstat(in_folder("link.h5"), &info), 0);
    assert_true(S_ISREG(info.st_mode));
}

/* As somebody who may read the folder and not write there. */
static void test_no_permission(void **state)
{
    (void)state;
    enum { NOBODY = 65534 };
    const bool root = geteuid() == 0;
    cop_error err;
    assert_int_equal(mkdir(in_folder("closed"), 0755), 0);
    const char *const path = in_folder("closed/run.h5");
    prepare(path);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(in_folder("closed"), 0555), 0);
    if (root) assert_int_equal(seteuid(NOBODY), 0);
    const cop_status status = try_write(path, SMALL, &err);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, COP_ERR_IO);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "owner and permissions"));
    assert_untouched(path);
    assert_int_equal(chmod(in_folder("closed"), 0755), 0);
}

/* In a folder like /tmp, where nobody may rename over the files of others: the last steps of a
 * write fail after all else went well. */
static void test_last_steps(void **state)
{
    (void)state;
    enum { NOBODY = 65534 };
    if (geteuid() != 0 || chmod(folder, 0755) != 0 || mkdir(in_folder("sticky"), 0700) != 0 ||
        chmod(in_folder("sticky"), 01777) != 0 || seteuid(NOBODY) != 0) {
        print_message("skip: needs root, to act as another user\n");
        skip();
    }
    if (faccessat(AT_FDCWD, in_folder("sticky"), W_OK | X_OK, AT_EACCESS) != 0) {
        assert_int_equal(seteuid(0), 0);
        print_message("skip: the folder for temporary files is closed to other users\n");
        skip();
    }
    const char *const path = in_folder("sticky/run.h5");
    const char *const previous = in_folder("sticky/run.h5.prev");
    cop_error err;
    prepare(path);
    for (int step = 0; step < 2; step++) {
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(chown(step == 0 ? previous : path, 0, 0), 0);
        assert_int_equal(seteuid(NOBODY), 0);
        assert_int_equal(try_write(path, SMALL, &err), COP_ERR_IO);
        assert_non_null(strstr(err.message, step == 0 ? previous : path));
        assert_non_null(strstr(err.message, step == 0 ? "keep the previous" : "rename"));
        assert_untouched(path);
    }
    assert_int_equal(seteuid(0), 0);
}

/* A file system of 512 KiB of its own at "<folder>/disk"; seen by this process only. */
static bool mount_disk(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        return false;
    }
    (void)mkdir(in_folder("disk"), 0700);
    return mount("none", in_folder("disk"), "tmpfs", 0, "size=512k") == 0;
}

static void fill_disk(size_t leave_pages)
{
    static const char page[4096];
    const char *const path = in_folder("disk/filler");
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    off_t length = 0;
    while (write(fd, page, sizeof page) == (ssize_t)sizeof page)
        length += (off_t)sizeof page;
    assert_int_equal(errno, ENOSPC);
    const off_t leave = (off_t)(leave_pages * sizeof page);
    assert_int_equal(ftruncate(fd, length > leave ? length - leave : 0), 0);
    assert_int_equal(close(fd), 0);
}

/* The disk full after any number of pages. */
static void test_full_disk(void **state)
{
    (void)state;
    if (!mount_disk()) {
        print_message("skip: no file system can be mounted here (%s)\n", strerror(errno));
        skip();
    }
    const char *const path = in_folder("disk/run.h5");
    size_t leave = 0;
    cop_error err;
    for (prepare(path);; leave++) {
        fill_disk(leave);
        const cop_status status = try_write(path, 400, &err);
        assert_int_equal(unlink(in_folder("disk/filler")), 0);
        if (status == COP_OK) break;
        assert_int_equal(status, COP_ERR_IO);
        assert_non_null(strstr(err.message, path));
        assert_non_null(strstr(err.message, "free space"));
        assert_untouched(path);
    }
    print_message("failed with 0 to %zu pages free\n", leave - 1);
    assert_true(leave > 5);
    assert_int_equal(read_generation(path, 400), 3);
    assert_int_equal(umount(in_folder("disk")), 0);
}

static void test_read_only(void **state)
{
    (void)state;
    if (!mount_disk()) {
        print_message("skip: no file system can be mounted here (%s)\n", strerror(errno));
        skip();
    }
    const char *const disk = in_folder("disk");
    const char *const path = in_folder("disk/run.h5");
    prepare(path);
    assert_int_equal(mount("none", disk, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_fails(path, "writable file system");
    assert_int_equal(umount(disk), 0);
}

/* From now on this process cannot make hard links. */
static bool forbid_links(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_linkat, 1, 0),
#ifdef SYS_link
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_link, 0, 1),
#else
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_linkat, 0, 1),
#endif
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static void test_no_hard_links(void **state)
{
    (void)state;
    const char *const path = in_folder("nolink.h5");
    prepare(path);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        cop_error err;
        if (!forbid_links()) _exit(77);
        if (link(path, in_folder("second")) == 0) _exit(2);
        _exit(try_write(path, SMALL, &err) == COP_OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("skip: no seccomp filters here\n");
        skip();
    }
    assert_int_equal(status, 0);
    assert_int_equal(read_generation(path, SMALL), 3);
    assert_int_equal(read_generation(in_folder("nolink.h5.prev"), SMALL), 2);
    assert_false(file_exists(in_folder("nolink.h5.prev.tmp")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_size_limit),  cmocka_unit_test(test_places),
        cmocka_unit_test(test_linked_temporary), cmocka_unit_test(test_no_permission),
        cmocka_unit_test(test_last_steps),       cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_read_only),        cmocka_unit_test(test_no_hard_links),
    };
    return cmocka_run_group_tests_name("store_full", tests, make_folder, remove_folder);
}
