/* How long waiting threads spin, see spin_limit.c. */
#ifndef COP_APP_SPIN_LIMIT_H
#define COP_APP_SPIN_LIMIT_H

/* First of all in main(): the environment is whole again, and OpenMP's threads spin briefly.
 * Starts the program once more where that needs it, with `argv`. */
void cop_app_limit_spinning(char **argv);

#endif
