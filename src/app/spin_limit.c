/* How long waiting threads spin.
 *
 * OpenMP's threads spin while they wait, which on a busy machine costs them the very cores that
 * they wait for. How long is read from the environment when the library starts, which is before
 * main(). To start the program once more with another environment would take a part of a small
 * model's start, so a function of .preinit_array, which runs before any library starts,
 * puts the limit into the place of an entry that no library looks at while it starts; main()
 * brings the entry back. */
#include "app/spin_limit.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char limit[] = "GOMP_SPINCOUNT=2000";
static char *set_aside; /* the entry whose place the limit has */

/* Place of the entry that begins as `name` does; the environment is not getenv()'s yet. */
static char **find(char **environment, const char *name)
{
    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, name, strlen(name)) == 0) return environment;
    }
    return NULL;
}

/* An environment that says anything about waiting stands. */
static void lend_place(int count, char **arguments, char **environment)
{
    static const char *const unread[] = {"_=", "SHLVL=", "OLDPWD=", "PWD="};
    (void)count;
    (void)arguments;
    if (environment == NULL || find(environment, "GOMP_SPINCOUNT=") != NULL ||
        find(environment, "OMP_WAIT_POLICY=") != NULL)
        return;
    for (size_t i = 0; i < sizeof unread / sizeof unread[0]; i++) {
        char **const place = find(environment, unread[i]);
        if (place == NULL) continue;
        set_aside = *place;
        *place = limit;
        return;
    }
}

__attribute__((section(".preinit_array"),
               used)) static void (*const first)(int, char **, char **) = lend_place;

void cop_app_limit_spinning(char **argv)
{
    if (set_aside != NULL) (void)putenv(set_aside);
    if (getenv("GOMP_SPINCOUNT") != NULL || getenv("OMP_WAIT_POLICY") != NULL) return;
    if (setenv("GOMP_SPINCOUNT", "2000", 1) != 0) return;
    (void)execv("/proc/self/exe", argv); /* where that fails, the program is only slower */
}
