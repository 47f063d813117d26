#include "sandbox/walls.h"

#include "coppice/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static bool write_text(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const int failed = cop_file_write(fd, text, strlen(text));
    return close(fd) == 0 && failed == 0;
}

/* Gives up root for good; leaves the process readable for itself below /proc. */
static bool become_nobody(void)
{
    if (geteuid() != 0) return true;
    if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) != 0)
        return false;
    return prctl(PR_SET_DUMPABLE, 1) == 0;
}

/* A user namespace in which this user is nobody, with a mount namespace in it: some systems
 * grant the first without the rights in it. */
static bool enter_user_namespace(void)
{
    const unsigned uid = geteuid();
    const unsigned gid = getegid();
    char user[64];
    char group[64];
    (void)snprintf(user, sizeof user, "%d %u 1", NOBODY, uid);
    (void)snprintf(group, sizeof group, "%d %u 1", NOBODY, gid);
    return unshare(CLONE_NEWUSER) == 0 && write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/uid_map", user) && write_text("/proc/self/gid_map", group) &&
           unshare(CLONE_NEWNS) == 0;
}

/* Tried in a process of its own, since a try that fails half-way cannot be undone. */
static bool can_enter_user_namespace(void)
{
    const pid_t pid = fork();
    if (pid == 0) _exit(become_nobody() && enter_user_namespace() ? 0 : 1);
    int how = 1;
    while (pid > 0 && waitpid(pid, &how, 0) < 0)
        if (errno != EINTR) return false;
    return pid > 0 && WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

/* Makes an empty file system the root and lets go of all others. Of this mount namespace only,
 * so the folder that it is mounted on shows nothing of it outside. */
static bool empty_root(void)
{
    static const char *const places[] = {"/tmp", "/mnt", "/var", "/usr"};
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return false;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (mount("none", places[i], "tmpfs", flags, "size=4k,nr_inodes=2,mode=555") != 0)
            continue;
        if (chdir(places[i]) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
            umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
            return false;
        return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL) == 0;
    }
    return false;
}

/* A folder that has been removed is empty, and nothing can be made in it. */
static bool removed_root(void)
{
    const char *const base = getenv("TMPDIR");
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/coppice-sandbox-XXXXXX",
                                base != NULL && base[0] == '/' ? base : "/tmp");
    if (length < 0 || (size_t)length >= sizeof path || mkdtemp(path) == NULL) return false;
    const bool inside = chdir(path) == 0;
    return rmdir(path) == 0 && inside && chroot(".") == 0;
}

static bool drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capset, &head, none) == 0;
}

cop_status cop_walls_raise(cop_walls *walls, cop_error *err)
{
    *walls = (cop_walls){.root = "shared"};
    const bool was_root = geteuid() == 0;
    walls->mount = unshare(CLONE_NEWNS) == 0;
    if (!walls->mount && can_enter_user_namespace())
        walls->user = walls->mount = become_nobody() && enter_user_namespace();
    if (walls->mount) {
        walls->net = unshare(CLONE_NEWNET) == 0;
        walls->ipc = unshare(CLONE_NEWIPC) == 0;
        walls->uts = unshare(CLONE_NEWUTS) == 0;
        walls->pid = unshare(CLONE_NEWPID) == 0;
    }
    if (walls->mount && empty_root())
        walls->root = "empty file system";
    else if (removed_root())
        walls->root = "removed folder";
    walls->nobody = walls->user || become_nobody() || !was_root;
    COP_CHECK(drop_capabilities(), err, COP_ERR_UNSUPPORTED,
              "capabilities cannot be given up, so no program is run: %s", strerror(errno));
    return COP_OK;
}
