/* Python as text, as far as it can be read line by line: what defines a name, what uses one,
 * what is no Python. Private to task/. */
#ifndef COP_TASK_PROGRAM_PYTHON_TEXT_H
#define COP_TASK_PROGRAM_PYTHON_TEXT_H

#include "task/tasks.h"

#include <stdbool.h>

/* How firmly a program defines a name; the higher, the better. */
typedef enum cop_python_rank {
    COP_PYTHON_NONE,
    COP_PYTHON_INNER,    /* def or class somewhere inside, so maybe a method's name only */
    COP_PYTHON_ASSIGNED, /* a name at the left margin that is assigned to */
    COP_PYTHON_DEFINED,  /* def or class at the left margin */
} cop_python_rank;

/* Where lines stand: inside a text in three quotes, in brackets, behind a backslash. */
typedef struct cop_python_state {
    char quote; /* of the text in three quotes that is open; 0: none */
    int depth;  /* of brackets */
    bool continued;
} cop_python_state;

/* The next line without its end; `text` moves behind it. \return false at the end. */
bool cop_python_next_line(cop_slice *text, cop_slice *line);

/* How many white-space characters a line begins with. */
size_t cop_python_indent(cop_slice line);

/* Whether a line of its own, not indented, is Python rather than prose. */
bool cop_python_is_statement(cop_slice line);

/* Whether the state is that between two statements. */
bool cop_python_is_between(const cop_python_state *state);

/* Moves on by a line of Python. */
void cop_python_pass_line(cop_python_state *state, cop_slice line);

/* How a program defines a name that `users` has, or any name where that is {0}. */
cop_python_rank cop_python_rank_of(cop_slice program, cop_slice users);

/* Whether it has imports and no other statements. */
bool cop_python_only_imports(cop_slice program);

/* Whether `other` defines or imports a name, at its left margin, that `users` has and `program`
 * neither defines, imports nor binds anywhere. Plain variables count only if `variables`. */
bool cop_python_supplies(cop_slice other, cop_slice users, cop_slice program, bool variables);

#endif
