#include "sandbox/zygote.h"

#include "sandbox/confine.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_DESCRIPTORS = 3 };

typedef struct order {
    cop_role role;
    pid_t parent; /* who asks */
    double timeout_s;
} order;

typedef struct reply {
    pid_t pid;
    int error;
} reply;

/* Room for the descriptors that go with an order, aligned as it must be. */
typedef union control {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
} control;

/* Takes an order with its descriptors. \return how many there are, -1 at the end. */
static int take_order(int socket, order *what, int descriptors[MOST_DESCRIPTORS])
{
    control room = {0};
    struct iovec part = {.iov_base = what, .iov_len = sizeof *what};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    ssize_t got;
    do
        got = recvmsg(socket, &message, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof *what) return -1;
    const struct cmsghdr *const head = CMSG_FIRSTHDR(&message);
    if (head == NULL || head->cmsg_type != SCM_RIGHTS) return 0;
    const size_t bytes = head->cmsg_len - CMSG_LEN(0);
    memcpy(descriptors, CMSG_DATA(head), bytes);
    return (int)(bytes / sizeof(int));
}

/* Free pieces of memory are joined and sorted once, here. Else each child does so when it first
 * wants a large piece, and gets copies of all the pages that they lie on. */
static void settle_memory(void)
{
    enum { LARGE_BYTES = 1 << 16 };
    (void)malloc_trim(0);
    void *volatile large = malloc(LARGE_BYTES);
    free(large);
}

/* What the zygote does until its parent goes. */
static _Noreturn void serve(int socket, const cop_filter *filter, uint64_t memory_bytes)
{
    settle_memory();
    for (;;) {
        order what;
        int descriptors[MOST_DESCRIPTORS] = {0};
        const int count = take_order(socket, &what, descriptors);
        if (count < 0) _exit(0);
        const pid_t pid = cop_python_fork();
        if (pid == 0) {
            const cop_limits limits = {memory_bytes, what.timeout_s};
            cop_confine(
                &(cop_confinement){filter, limits, descriptors, (size_t)count, what.parent});
            cop_python_play(what.role);
        }
        const reply answer = {.pid = pid, .error = pid < 0 ? errno : 0};
        for (int i = 0; i < count; i++)
            (void)close(descriptors[i]);
        if (send(socket, &answer, sizeof answer, MSG_NOSIGNAL) < 0) _exit(0);
    }
}

cop_status cop_zygote_start(const cop_filter *filter, uint64_t memory_bytes, int null,
                            cop_zygote *zygote, cop_error *err)
{
    int ends[2];
    COP_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, err, COP_ERR_IO,
              "cannot create a socket: %s", strerror(errno));
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i <= STDERR_FILENO; i++)
            (void)dup2(null, i);
        /* The first place above those that its children need. */
        const int socket = cop_confine_descriptors(&ends[1], 1);
        cop_confine_lifetime(parent);
        (void)prctl(PR_SET_DUMPABLE, 0);
        serve(socket, filter, memory_bytes);
    }
    const int failed = errno;
    (void)close(ends[1]);
    if (pid < 0) (void)close(ends[0]);
    COP_CHECK(pid >= 0, err, COP_ERR_IO, "cannot start a process: %s", strerror(failed));
    *zygote = (cop_zygote){.pid = pid, .socket = ends[0]};
    return COP_OK;
}

cop_status cop_zygote_spawn(const cop_zygote *zygote, cop_role role, const int *descriptors,
                            double timeout_s, pid_t *pid, cop_error *err)
{
    *pid = 0;
    const size_t bytes = cop_role_descriptors(role) * sizeof(int);
    assert(bytes <= MOST_DESCRIPTORS * sizeof(int));
    order what = {.role = role, .parent = getpid(), .timeout_s = timeout_s};
    control room = {0};
    struct iovec part = {.iov_base = &what, .iov_len = sizeof what};
    const struct msghdr message = {.msg_iov = &part,
                                   .msg_iovlen = 1,
                                   .msg_control = room.bytes,
                                   .msg_controllen = CMSG_SPACE(bytes)};
    room.head = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(bytes), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&room.head), descriptors, bytes);
    reply answer = {0};
    ssize_t got = sendmsg(zygote->socket, &message, MSG_NOSIGNAL);
    while (got >= 0) {
        got = recv(zygote->socket, &answer, sizeof answer, 0);
        if (got >= 0 || errno != EINTR) break;
        got = 0;
    }
    COP_CHECK(got == (ssize_t)sizeof answer, err, COP_ERR_INTERNAL,
              "the process that holds Python has ended");
    COP_CHECK(answer.error == 0, err, COP_ERR_IO, "cannot start a process: %s",
              strerror(answer.error));
    *pid = answer.pid;
    return COP_OK;
}
