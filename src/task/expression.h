/* Arithmetic expressions as Python reads and evaluates them. */
#ifndef COP_TASK_EXPRESSION_H
#define COP_TASK_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

/** Value of text [length] made of non-negative integers, + - * / with true division, signs,
 *  parentheses and spaces, with at most one line feed at the end. Numbers with leading zeros,
 *  two numbers side by side, ** and //, division by zero and parentheses more than 200 deep are
 *  refused. Integers are exact while they fit 64 bits and binary64 from there on; quotients are
 *  binary64.
 *  \return false if there is no value; *value is then 0. */
bool cop_expression_evaluate(const char *text, size_t length, double *value);

#endif
